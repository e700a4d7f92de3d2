/** What a token says. */

/** Nothing, where it isn't a JSON Web Token. @param {string} token */
export function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))) ?? {};
  } catch {
    return {};
  }
}

/** When a token ends, in ms; Infinity where it doesn't say. @param {string} token */
export const endOf = (token) => claimsOf(token).exp * 1000 || Infinity;
