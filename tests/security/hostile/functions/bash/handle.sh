# Carries out the attack that the path names.
exec "$VEHICLE_PYTHON" -I -B /ffx/code/vehicle/run.py "${FFX_PATH#/attack/}"
