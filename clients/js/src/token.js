/** Tokens that a function gives: asked before the first connection, before the token ends, and when the server has refused it. */
import { extras } from './frames.js';
import { endOf } from './claims.js';

const LONGEST = 2 ** 31; // ms of a timer: less than this

/** @param {() => string | Promise<string>} ask @param {() => void} renew  called when there is to be another one */
extras.token = (ask, renew) => {
  let token = '';
  let fresh = false; // it was given for this connection
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function drop() {
    token = '';
    clearTimeout(timer);
  }

  /** A connection has the rights of the token that it came with: another one comes before that ends. */
  function renewLater() {
    const left = endOf(token) - Date.now();
    const due = () => {
      drop();
      renew();
    };
    clearTimeout(timer);
    if (left > 0 && left < LONGEST) timer = setTimeout(due, left - Math.min(30000, left / 10));
  }

  return {
    async get() {
      if (endOf(token) < Date.now() + 5000) token = '';
      fresh = !token;
      if (fresh) {
        token = await ask();
        renewLater();
      }
      return token;
    },
    /** The server has refused it: whether another one may help. */
    refused() {
      drop();
      return !fresh;
    },
    stop: drop,
  };
};
