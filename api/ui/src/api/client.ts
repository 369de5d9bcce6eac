import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

/** Fault is a failed call as the reader may see it: RFC 9457's problem document, or no answer at all (status 0). */
export class Fault extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** What is wrong with which field. */
    readonly fields: Record<string, string> = {},
    /** For a refused verb: what is possible now. */
    readonly legal: string[] = [],
  ) {
    super(message);
  }

  static of(e: unknown): Fault {
    if (e instanceof Fault) return e;
    return new Fault(e instanceof Error ? e.message : String(e), 0);
  }
}

type Problem = Partial<Schemas['Problem']>;

/** Turns a failed answer into a Fault; proxies answer without a problem document. */
export function faultOf(status: number, body: unknown): Fault {
  const p: Problem = body && typeof body === 'object' ? (body as Problem) : {};
  const fields = Object.fromEntries((p.errors ?? []).map((e) => [e.field, e.message]));
  return new Fault(p.detail || p.title || `The server answered ${status}.`, status, fields, p.legal ?? []);
}

/** The typed client. Reads and acts go through it; the session cookie comes along by itself. */
export const api = createClient<paths>({ baseUrl: '', credentials: 'same-origin' });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Unwraps an answer or throws the Fault it carries. */
export async function must<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok || error !== undefined) throw faultOf(response.status, error);
  return data as T;
}
