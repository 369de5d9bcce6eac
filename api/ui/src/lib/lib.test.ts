import { describe, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { touched } from '../api/live';
import { faultOf, Fault } from '../api/client';
import { ticks, timeTicks } from '../components/Chart';
import { quoted, type Alert } from '../api/queries';
import { terms } from '../components/Filter';
import { grouped, show } from './attributes';
import { cell, toCsv } from './csv';
import { Dispatcher } from './keys';
import { between, layered } from './layout';
import { differing, isView, sameAlert } from './replicas';
import { byteAt, charAt, bytes } from './text';
import { age, duration, known, ofGo, relative } from './time';
import { withParams } from './url';

describe('time', () => {
  test('durations take two units that stand side by side', () => {
    expect(duration(0)).toBe('0 s');
    expect(duration(0.2)).toBe('< 1 s');
    expect(duration(61)).toBe('1 min 1 s');
    expect(duration(3600)).toBe('1 h');
    expect(duration(3600 + 5)).toBe('1 h'); // seconds mean nothing beside an hour
    expect(duration(2 * 86400 + 3 * 3600 + 59)).toBe('2 d 3 h');
    expect(duration(Number.NaN)).toBe('–');
  });
  test('a length of time as Go writes it', () => {
    expect(ofGo('66h12m32.5s')).toBe(66 * 3600 + 12 * 60 + 32.5);
    expect(ofGo('1m0s')).toBe(60);
    expect(ofGo('250ms')).toBe(0.25);
    expect(ofGo('-1h0m0s')).toBe(-3600);
  });
  test('relative times look both ways', () => {
    const now = Date.parse('2026-05-04T10:00:00Z');
    expect(relative(now - 4 * 60_000, now)).toBe('4 min ago');
    expect(relative(now + 2 * 3600_000, now)).toBe('in 2 h');
    expect(relative(now - 3000, now)).toBe('now');
    expect(age(90_000)).toBe('1 d');
  });
  test("Go's zero time is no time", () => {
    expect(known('0001-01-01T00:00:00Z')).toBe(false);
    expect(known(undefined)).toBe(false);
    expect(known('2026-05-04T10:00:00Z')).toBe(true);
  });
});

describe('csv', () => {
  test('quotes what needs it', () => {
    expect(toCsv(['a', 'b'], [['x,y', 'say "hi"'], ['line\nbreak', null]])).toBe('a,b\r\n"x,y","say ""hi"""\r\n"line\nbreak",\r\n');
  });
  test('a cell cannot become a formula, a negative number stays one', () => {
    expect(cell('=HYPERLINK("x")')).toBe(`"'=HYPERLINK(""x"")"`);
    expect(cell('@SUM')).toBe("'@SUM");
    expect(cell(-5)).toBe('-5');
  });
});

describe('keys', () => {
  const one = (map: Record<string, () => void>) => {
    const d = new Dispatcher();
    d.add({ current: map });
    return d;
  };
  test('after the first key of a sequence single keys are quiet', () => {
    const go = () => {};
    const ack = () => {};
    const d = one({ 'g a': go, a: ack });
    expect(d.press('g', 0)).toBeUndefined();
    expect(d.press('a', 100)).toBe(go);
    expect(d.press('a', 200)).toBe(ack);
    d.press('g', 300);
    expect(d.press('z', 400)).toBeUndefined();
    d.press('g', 500);
    expect(d.press('a', 5000)).toBe(ack); // too late for a sequence
  });
  test('the newest binding wins, and leaves again', () => {
    const page = () => {};
    const dialog = () => {};
    const d = one({ c: page });
    const leave = d.add({ current: { c: dialog } });
    expect(d.press('c', 0)).toBe(dialog);
    leave();
    expect(d.press('c', 1)).toBe(page);
  });
  test('an act that is not offered now lets the key through to others', () => {
    const page = () => {};
    const d = one({ c: page });
    d.add({ current: { c: undefined } });
    expect(d.press('c', 0)).toBe(page);
  });
});

describe('url', () => {
  test('empty values leave the address', () => {
    expect(withParams('/alerts', 'q=a&show=all', { q: null, sort: 'name' })).toBe('/alerts?show=all&sort=name');
    expect(withParams('/alerts', 'q=a', { q: '' })).toBe('/alerts');
  });
  test('filter terms', () => {
    expect(terms('a', false, undefined, 'b:c')).toBe('a b:c');
    expect(terms(null, '')).toBeUndefined();
    expect(quoted('say "x" \\ y')).toBe('"say x  y"');
  });
});

describe('layout', () => {
  const size = { width: 10, height: 4, gapX: 2, gapY: 2 };
  const n = (...ids: string[]) => ids.map((id) => ({ id }));
  test('what needs others stands above what it needs, by the longest way', () => {
    const { placed } = layered(n('ui', 'api', 'db', 'host'), [{ from: 'ui', to: 'api' }, { from: 'api', to: 'db' }, { from: 'db', to: 'host' }, { from: 'ui', to: 'host' }], size);
    expect(Object.fromEntries(placed.map((p) => [p.id, p.layer]))).toEqual({ ui: 0, api: 1, db: 2, host: 3 });
  });
  test('a cycle and an edge to itself do not hang it, nothing overlaps', () => {
    const { placed } = layered(n('a', 'b', 'c'), [{ from: 'a', to: 'b' }, { from: 'b', to: 'c' }, { from: 'c', to: 'a' }, { from: 'a', to: 'a' }], size);
    expect(new Set(placed.map((p) => `${p.x}/${p.y}`)).size).toBe(3);
  });
  test('neighbours are ordered so that lines do not cross', () => {
    const { placed } = layered(n('a', 'b', 'x', 'y'), [{ from: 'a', to: 'y' }, { from: 'b', to: 'x' }], size);
    const x = Object.fromEntries(placed.map((p) => [p.id, p.x]));
    expect(x.a! < x.b!).toBe(x.y! < x.x!);
  });
  test('a wide layer stands in rows of even length, above what it needs', () => {
    const many = ['a', 'b', 'c', 'd', 'e'];
    const { placed, width, height } = layered(n(...many, 'x'), many.map((from) => ({ from, to: 'x' })), size, 3);
    const rows = new Map<number, number>();
    for (const p of placed) rows.set(p.y, (rows.get(p.y) ?? 0) + 1);
    expect([...rows.values()]).toEqual([3, 2, 1]);
    expect(width).toBe(3 * size.width + 2 * size.gapX);
    expect(Math.max(...placed.map((p) => p.y)) + size.height).toBe(height);
  });
  test('nothing at all is an empty picture', () => {
    expect(layered([], [], size).placed).toEqual([]);
  });
  test('the picture keeps whole ways and stays small', () => {
    const nodes = n('c', 'm', 'far', 'near', 'alone');
    const edges = [{ from: 'near', to: 'c' }, { from: 'm', to: 'c' }, { from: 'far', to: 'm' }];
    expect(between('c', ['far', 'near', 'alone'], nodes, edges, 10)).toEqual(new Set(['c', 'near', 'm', 'far']));
    expect(between('c', ['far', 'near'], nodes, edges, 2)).toEqual(new Set(['c', 'near'])); // half a way would mislead
    expect(between('absent', ['near'], nodes, edges, 5)).toEqual(new Set());
  });
});

describe('axes', () => {
  test('round steps that reach the top', () => {
    expect(ticks(7)).toEqual([0, 5, 10]);
    expect(ticks(1, 3, true)).toEqual([0, 1]);
    expect(ticks(0)).toEqual([0]);
    expect(timeTicks(9000)).toEqual([0, 3600, 7200, 10800]);
  });
});

describe('words', () => {
  test('bytes', () => {
    expect(bytes(0)).toBe('0 B');
    expect(bytes(1536)).toBe('1.5 KiB');
    expect(bytes(256 * 2 ** 30)).toBe('256 GiB');
  });
  test('bytes of a text and its units', () => {
    for (const unit of [0, 1, 2, 4, 5]) expect(charAt('aé😀b', byteAt('aé😀b', unit))).toBe(unit);
    expect(byteAt('aé😀b', 4)).toBe(7);
    expect(charAt('ab', 9)).toBe(2);
  });
  test('attributes', () => {
    expect(show('memory_bytes', 2 ** 31)).toBe('2.0 GiB');
    expect(show('container', false)).toBe('no');
    expect(show('ports', [80, 443])).toBe('80, 443');
    expect(grouped({ zzz: 1, hostname: 'a' })).toEqual([['Identity', ['hostname']], ['More', ['zzz']]]);
  });
});

describe('answers', () => {
  test('a problem document becomes a fault with its fields and legal verbs', () => {
    const f = faultOf(409, { detail: 'not now', legal: ['close'], errors: [{ field: 'reason', message: 'is missing' }] });
    expect([f.message, f.status, f.legal, f.fields]).toEqual(['not now', 409, ['close'], { reason: 'is missing' }]);
  });
  test('a proxy’s page and a broken line are faults too', () => {
    expect(faultOf(502, '<html>').message).toContain('502');
    expect(Fault.of(new TypeError('Failed to fetch')).status).toBe(0);
  });
  test('a changed record touches its lists, itself and its timeline, once', () => {
    const keys = touched([{ kind: 'incident', id: 'I1' }, { kind: 'incident', id: 'I1' }, { kind: 'alert', id: 'A1' }]).map((k) => k.join(' '));
    expect(keys).toEqual(['incidents', 'incident I1', 'timeline I1', 'services', 'alerts', 'alert A1', 'sources']);
    expect(touched([{ kind: 'ci', id: '' }]).map((k) => k.join(' '))).toEqual(['cis', 'ci', 'services', 'software']);
  });
});

test('the client is the one that the OpenAPI document describes', () => {
  execFileSync('node', ['scripts/client.mjs', '--check'], { stdio: 'pipe' });
}, 30_000);

describe('replicas', () => {
  const alert = (id: string, fingerprint: string, canonical: string, more: Partial<Alert> = {}) => ({ id, fingerprint, canonical, fate: 'incident', labels: {}, ...more }) as Alert;
  test('what two replicas see, and what comes again, is one row, newest first', () => {
    const rows = sameAlert([alert('1', 'a', '1'), alert('2', 'b', '1'), alert('3', 'x', '3'), alert('4', 'a', '4'), alert('5', 'b', '4')]);
    expect(rows.map((r) => r.map((a) => a.id))).toEqual([['5', '4', '2', '1'], ['3']]);
  });
  test('a view is what ended as a duplicate, until it joins', () => {
    expect(isView(alert('2', 'b', '1', { fate: 'duplicate' }))).toBe(true);
    expect(isView(alert('2', 'b', '1', { fate: 'duplicate', final_fate: 'incident' }))).toBe(false);
    expect(isView(alert('2', 'b', '1', { fate: 'held', final_fate: 'duplicate' }))).toBe(true);
  });
  test('the replica is named by the labels that differ', () => {
    expect(differing(alert('2', 'b', '1', { labels: { job: 'x', replica: 'b' } }), alert('1', 'a', '1', { labels: { job: 'x', replica: 'a' } }))).toBe('replica=b');
  });
});
