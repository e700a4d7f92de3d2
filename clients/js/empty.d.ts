/** It is imported for what it does: `import 'zcast/share'`. */
export {};
