/** zcast in React 18 and later: a hook. */
import { useEffect, useRef, useState } from 'react';
import { subscribe } from 'zcast';

const state = (/** @type {string} */ name) => ({ state: name, transport: 'sse', attempt: 0 });

/**
 * Subscribes while the component is mounted, and gives the status, `connecting` at first and on the server. Topics that change
 * come and go on the same subscription. Handlers may be new functions each time; a `token` function has to be the same one.
 */
export function useZcast(topics, handler, options = {}) {
  const names = [...new Set([topics].flat())].filter(Boolean);
  const { onContinuity, onState, onError, signal, token, ...rest } = options;
  const settings = JSON.stringify(rest);
  const [status, setStatus] = useState(() => state(names.length ? 'connecting' : 'idle'));
  const latest = useRef({});
  const running = useRef(null);
  const some = names.length > 0;

  useEffect(() => {
    latest.current = { handler, onContinuity, onState, onError };
  });

  useEffect(() => {
    if (!some) return setStatus(state('idle'));
    const subscription = subscribe(names, (message) => latest.current.handler?.(message), {
      ...JSON.parse(settings),
      token,
      signal,
      onContinuity: (verdict) => latest.current.onContinuity?.(verdict),
      onError: (error) => latest.current.onError?.(error),
      onState: (now) => {
        if (running.current !== subscription) return;
        setStatus(now);
        latest.current.onState?.(now);
      },
    });
    running.current = subscription;
    setStatus(subscription.status);
    return () => {
      running.current = null;
      subscription.close();
    };
  }, [settings, token, signal, some]);

  useEffect(() => {
    const had = running.current?.topics ?? names;
    const [more, less] = [names.filter((name) => !had.includes(name)), had.filter((name) => !names.includes(name))];
    if (more.length) running.current.add(...more);
    if (less.length) running.current.remove(...less);
  }, [names.join('\n')]);

  return status;
}
