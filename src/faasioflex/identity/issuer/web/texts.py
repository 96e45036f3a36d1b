"""Every sentence of the pages, in the languages that there are."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "login": ("Log in", "Iniciar sesión"),
    "to": ("to use {client}", "para usar {client}"),
    "email": ("E-mail", "Correo electrónico"),
    "name": ("Name", "Nombre"),
    "password": ("Password", "Contraseña"),
    "new_password": ("New password (at least 10 characters)", "Contraseña nueva (al menos 10 caracteres)"),
    "again": ("The same again", "Otra vez la misma"),
    "forgot": ("Forgot the password?", "¿Olvidó la contraseña?"),
    "sign_up": ("Make an account", "Crear una cuenta"),
    "wrong": ("E-mail or password is wrong.", "El correo o la contraseña no son correctos."),
    "otp_title": ("Second step", "Segundo paso"),
    "otp": ("Code of your app, or a recovery code", "Código de su aplicación, o uno de recuperación"),
    "otp_wrong": ("That code does not hold.", "Ese código no vale."),
    "change": ("Choose a new password", "Elija una contraseña nueva"),
    "differ": ("The two passwords differ.", "Las dos contraseñas no son iguales."),
    "weak": (
        "Take another password: at least 10 characters, and none that others guess first.",
        "Elija otra contraseña: al menos 10 caracteres y que nadie adivine.",
    ),
    "over": ("This page is too old. Begin again.", "Esta página ha caducado. Empiece de nuevo."),
    "slow": ("Too many tries. Wait {seconds} s.", "Demasiados intentos. Espere {seconds} s."),
    "continue": ("Continue as {email}", "Seguir como {email}"),
    "other": ("Another account", "Otra cuenta"),
    "send": ("Continue", "Continuar"),
    "refused": ("This does not work", "Esto no funciona"),
    "device": ("Connect a device", "Conectar un dispositivo"),
    "device_code": ("Code that the device shows", "Código que muestra el dispositivo"),
    "device_ask": (
        "Only allow it if you started this login yourself: {client} will act as you.",
        "Permítalo solo si usted empezó este inicio: {client} actuará en su nombre.",
    ),
    "device_wrong": ("There is no such code.", "No hay tal código."),
    "allow": ("Allow", "Permitir"),
    "deny": ("Refuse", "Rechazar"),
    "done": ("Done", "Hecho"),
    "device_done": ("You may close this page.", "Puede cerrar esta página."),
    "logout": ("Log out", "Cerrar sesión"),
    "logged_out": ("You are logged out.", "Ha cerrado la sesión."),
    "join": ("Make your account", "Cree su cuenta"),
    "mail_sent": (
        "If that is possible with this address, a mail is on its way.",
        "Si es posible con esta dirección, recibirá un correo.",
    ),
    "closed": (
        "Accounts are made by invitation here. Ask an administrator.",
        "Aquí las cuentas se crean por invitación. Pregunte a un administrador.",
    ),
    "reset": ("Reset the password", "Restablecer la contraseña"),
    "account": ("Your account", "Su cuenta"),
    "totp": ("Second factor", "Segundo factor"),
    "totp_text": (
        "Scan this with an authenticator app, or type {secret}, and enter a code that it shows.",
        "Escanéelo con una aplicación de autenticación, o teclee {secret}, e introduzca un código.",
    ),
    "totp_on": ("The second factor is on.", "El segundo factor está activado."),
    "totp_off": ("Turn the second factor off", "Desactivar el segundo factor"),
    "recovery": ("Keep these codes: each lets you in once.", "Guarde estos códigos: cada uno sirve una vez."),
}
LANGUAGES = ("en", "es")


def language(ui_locales: str, accepted: str) -> str:
    """By ``ui_locales``, then Accept-Language, whose order counts for more than its numbers."""
    for given in (*ui_locales.split(), *(piece.partition(";")[0] for piece in accepted[:200].split(","))):
        if given.strip()[:2].lower() in LANGUAGES:
            return given.strip()[:2].lower()
    return "en"


def text(lang: str, name: str, **given: object) -> str:
    return TEXTS[name][LANGUAGES.index(lang)].format(**given)
