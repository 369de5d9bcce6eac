import { useMemo } from 'react';
import { useLocation } from 'wouter';
import type { Graph } from '../api/queries';
import { layered } from '../lib/layout';
import { words } from '../lib/text';
import { useWidth } from '../lib/width';

// Three stand side by side in the narrow column beside an incident.
const size = { width: 110, height: 38, gapX: 8, gapY: 32 };

/** A picture of a small part of the estate: what needs others stands above what it needs. */
export function Topology({ graph, causes, affected, self, label }: { graph: Graph; causes?: Set<string>; affected?: Set<string>; self?: string; label: string }) {
  const [, go] = useLocation();
  const [ref, room] = useWidth<HTMLDivElement>(340, 120);
  const across = Math.max(1, Math.floor((room - 8 + size.gapX) / (size.width + size.gapX)));
  const { placed, width, height } = useMemo(() => layered(graph.nodes, graph.edges, size, across), [graph, across]);
  const at = new Map(placed.map((p) => [p.id, p]));
  const byId = new Map(graph.nodes.map((n) => [n.id, n]));
  const dx = 4;
  return (
    <div ref={ref}>
    <svg className="topology" width={width + 8} height={height + 8} viewBox={`0 -4 ${width + 8} ${height + 8}`} role="group" aria-label={label}>
      {graph.edges.map((e) => {
        const a = at.get(e.from);
        const b = at.get(e.to);
        if (!a || !b) return null;
        const x1 = a.x + size.width / 2 + dx;
        const y1 = a.y + size.height;
        const x2 = b.x + size.width / 2 + dx;
        const y2 = b.y;
        const mid = (y1 + y2) / 2;
        const hot = (causes?.has(e.from) || affected?.has(e.from)) && (causes?.has(e.to) || affected?.has(e.to));
        return (
          <path key={`${e.from} ${e.type} ${e.to}`} className={`edge ${hot ? 'hot' : ''}`} d={`M${x1} ${y1} C${x1} ${mid} ${x2} ${mid} ${x2} ${y2}`}>
            <title>{`${byId.get(e.from)?.name} ${words(e.type).toLowerCase()} ${byId.get(e.to)?.name}`}</title>
          </path>
        );
      })}
      {placed.map((p) => {
        const n = byId.get(p.id)!;
        const kind = causes?.has(p.id) ? 'cause' : affected?.has(p.id) ? 'affected' : '';
        const to = `/inventory/${encodeURIComponent(p.id)}`;
        return (
          <a
            key={p.id}
            href={to}
            className={`node ${kind} ${p.id === self ? 'self' : ''}`}
            onClick={(e) => {
              if (e.metaKey || e.ctrlKey) return;
              e.preventDefault();
              go(to);
            }}
          >
            <rect className="box" x={p.x + dx} y={p.y} width={size.width} height={size.height} rx="6">
              <title>{n.name}</title>
            </rect>
            <text x={p.x + dx + 8} y={p.y + 16}>
              {short(n.name, 14)}
            </text>{' '}
            <text className="cls" x={p.x + dx + 8} y={p.y + 30}>
              {role(n.class.replaceAll('_', ' '), kind)}
            </text>
          </a>
        );
      })}
    </svg>
    </div>
  );
}

/** What an item is and its part in the failure, as far as it fits: colour alone does not say it to everybody. */
function role(cls: string, kind: string) {
  const part = kind === 'cause' ? 'suspected' : kind;
  const both = part ? `${cls} · ${part}` : cls;
  return both.length <= 18 || !part ? both : part;
}

/** The two ends of a long name say more than its beginning. */
function short(s: string, n: number) {
  return s.length <= n ? s : `${s.slice(0, Math.ceil(n / 2) - 1)}…${s.slice(-Math.floor(n / 2))}`;
}
