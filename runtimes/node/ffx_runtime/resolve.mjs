// `ffx_runtime` can be imported and required by functions without being installed; nothing else of this folder is.
import { registerHooks } from 'node:module';

const INDEX = new URL('./index.mjs', import.meta.url).href;

/** The file that was asked for last: a syntax error in a module does not say which it is in. */
export let lastResolved = null;

export function install() {
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'ffx_runtime') return { url: INDEX, format: 'module', shortCircuit: true };
      const found = next(specifier, context);
      lastResolved = found.url;
      return found;
    },
  });
}
