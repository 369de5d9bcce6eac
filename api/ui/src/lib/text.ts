/** "1 alert", "2 alerts". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString()} ${n === 1 ? one : many}`;
}

/** "in_progress" → "In progress". */
export function words(s: string): string {
  const t = s.replaceAll('_', ' ');
  return t.charAt(0).toUpperCase() + t.slice(1);
}

/** Bytes with a binary unit. */
export function bytes(n: number): string {
  if (!n) return '0 B';
  const u = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const i = Math.min(u.length - 1, Math.floor(Math.log2(n) / 10));
  const v = n / 2 ** (10 * i);
  return `${v >= 100 || i === 0 ? Math.round(v) : v.toFixed(1)} ${u[i]}`;
}

/** The short name of an item whose id is "class:name" or opaque. */
export function ciName(id: string): string {
  const i = id.indexOf(':');
  return i > 0 ? id.slice(i + 1) : id;
}

const utf8 = new TextEncoder();

/** The API counts a text's bytes, the browser its UTF-16 units: the byte at a unit. */
export function byteAt(s: string, unit: number): number {
  return utf8.encode(s.slice(0, unit)).length;
}

/** The UTF-16 unit at a byte. */
export function charAt(s: string, byte: number): number {
  let n = 0;
  for (let i = 0; i < s.length; ) {
    if (n >= byte) return i;
    const c = String.fromCodePoint(s.codePointAt(i)!);
    n += utf8.encode(c).length;
    i += c.length;
  }
  return s.length;
}
