import { useWidth } from '../lib/width';

export interface Series {
  name: string;
  /** undefined: no value in that group, a gap in the line. */
  values: (number | undefined)[];
}

const H = 130;
const pad = { left: 66, right: 6, top: 8, bottom: 20 };

/** Round numbers for an axis that begins at 0. */
export function ticks(max: number, n = 3, whole = false): number[] {
  if (max <= 0) return [0];
  const raw = max / n;
  const base = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(whole ? 1 : 0, [1, 2, 5, 10].map((m) => m * base).find((s) => s >= raw)!);
  const out: number[] = [];
  for (let v = 0; v < max + step * 0.999; v += step) out.push(v);
  return out;
}

/** The same for durations: seconds, minutes, hours, days in steps that people count in. */
export function timeTicks(max: number, n = 3): number[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000, 2592000];
  if (max <= 0) return [0];
  const step = steps.find((s) => s >= max / n) ?? Math.ceil(max / n / 86400) * 86400;
  const out: number[] = [];
  for (let v = 0; v < max + step * 0.999; v += step) out.push(v);
  return out;
}

/**
 * A small chart over groups of time: lines (the first solid, others dashed) or
 * bars. The numbers stand in a table beside it for those who cannot see it.
 */
export function Chart({ kind, labels, series, format, time, label }: { kind: 'line' | 'bar'; labels: string[]; series: Series[]; format: (v: number) => string; time?: boolean; label: string }) {
  const all = series.flatMap((s) => s.values).filter((v): v is number => v !== undefined);
  const most = Math.max(0, ...all);
  const axis = time ? timeTicks(most) : ticks(most, 3, kind === 'bar');
  const top = axis.at(-1) || 1;
  const [ref, W] = useWidth(400, 200);
  const inner = W - pad.left - pad.right;
  const slot = inner / Math.max(1, labels.length);
  const x = (i: number) => pad.left + slot * (i + 0.5);
  const y = (v: number) => H - pad.bottom - (v / top) * (H - pad.top - pad.bottom);
  const every = Math.max(1, Math.ceil(labels.length / 5));
  return (
    <figure ref={ref}>
      <svg className="chart" viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {axis.map((v) => (
          <g key={v}>
            <line className="axis" x1={pad.left} x2={W - pad.right} y1={y(v)} y2={y(v)} />
            <text className="tick" x={pad.left - 6} y={y(v) + 3} textAnchor="end">
              {v === 0 ? '0' : format(v)}
            </text>
          </g>
        ))}
        {labels.map((l, i) =>
          i % every === 0 ? (
            <text key={l} className="tick" x={x(i)} y={H - 5} textAnchor="middle">
              {l}
            </text>
          ) : null,
        )}
        {kind === 'bar'
          ? series[0]!.values.map((v, i) =>
              v ? (
                <rect key={i} className="column" x={x(i) - slot * 0.36} width={Math.max(1, slot * 0.72)} y={y(v)} height={Math.max(0.5, H - pad.bottom - y(v))} rx="1.5">
                  <title>{`${labels[i]}: ${format(v)}`}</title>
                </rect>
              ) : null,
            )
          : series.map((s, n) => (
              <g key={s.name}>
                <path className={`line ${n ? 'second' : ''}`} d={path(s.values, x, y)} />
                {s.values.map((v, i) =>
                  v === undefined ? null : (
                    <circle key={i} className={n ? 'point second' : 'point'} cx={x(i)} cy={y(v)} r={labels.length > 40 ? 1.2 : 2.4}>
                      <title>{`${labels[i]}, ${s.name}: ${format(v)}`}</title>
                    </circle>
                  ),
                )}
              </g>
            ))}
      </svg>
      {series.length > 1 && (
        <figcaption className="small muted row">
          {series.map((s, n) => (
            <span key={s.name}>
              <span aria-hidden="true" className={`key ${n ? 'second' : ''}`} /> {s.name}
            </span>
          ))}
        </figcaption>
      )}
    </figure>
  );
}

/** Joins neighbours; a gap breaks the line rather than being bridged. */
function path(values: (number | undefined)[], x: (i: number) => number, y: (v: number) => number): string {
  let d = '';
  values.forEach((v, i) => {
    if (v === undefined) return;
    d += `${i > 0 && values[i - 1] !== undefined ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
  });
  return d;
}
