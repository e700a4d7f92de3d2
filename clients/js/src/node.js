/** The core where there is no EventSource: Node, and what has its names. */
import './stream.js';

export * from './index.js';
