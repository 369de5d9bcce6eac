/** Fault is a failed call as the reader may see it: RFC 9457's problem document, or no answer at all (status 0). */
export class Fault extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** The field that is wrong, where one is. */
    readonly field?: string,
    /** For a refused verb: what is possible now. */
    readonly legal?: string[],
  ) {
    super(message);
  }

  static of(e: unknown): Fault {
    if (e instanceof Fault) return e;
    return new Fault(e instanceof Error ? e.message : String(e), 0);
  }
}
