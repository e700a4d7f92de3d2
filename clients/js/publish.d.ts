import type { Token } from 'zcast';

export interface PublishOptions {
  event?: string;
  id?: string;
  key?: string;
  ttl?: number;
  address?: string;
  base?: string;
  credentials?: boolean;
  token?: Token;
  signal?: AbortSignal;
}

export function publish(topic: string, data: string | Uint8Array, options?: PublishOptions): Promise<{ id: string }>;
