/** zcast in Vue 3: a composable. */
import { getCurrentInstance, getCurrentScope, onMounted, onScopeDispose, shallowRef, toValue, watch } from 'vue';
import { subscribe } from 'zcast';

/**
 * Subscribes from when the component is mounted until its scope ends; the status is `connecting` at first and on the server. `topics`
 * may be a ref or a getter: topics that change come and go on the same subscription.
 */
export function useZcast(topics, handler, options = {}) {
  const names = () => [...new Set([toValue(topics)].flat())].filter(Boolean);
  const state = (name) => ({ state: name, transport: 'sse', attempt: 0 });
  const status = shallowRef(state(names().length ? 'connecting' : 'idle'));
  let subscription;

  function update(wanted) {
    if (subscription) {
      const had = subscription.topics;
      const [more, less] = [wanted.filter((name) => !had.includes(name)), had.filter((name) => !wanted.includes(name))];
      if (more.length) subscription.add(...more);
      if (less.length) subscription.remove(...less);
    } else if (wanted.length) {
      const onState = (now) => {
        status.value = now;
        options.onState?.(now);
      };
      subscription = subscribe(wanted, handler, { ...options, onState });
      status.value = subscription.status;
    }
  }

  const begin = () => watch(names, update, { immediate: true });
  if (getCurrentInstance()) onMounted(begin);
  else begin();
  if (getCurrentScope()) onScopeDispose(() => subscription?.close());
  return { status };
}
