export interface LayoutNode {
  id: string;
}
export interface LayoutEdge {
  from: string;
  to: string;
}
export interface Placed {
  id: string;
  x: number;
  y: number;
  layer: number;
}
export interface Size {
  width: number;
  height: number;
  gapX: number;
  gapY: number;
}

/**
 * Lays a small dependency graph out in layers: what needs others stands above
 * what it needs. Cycles are cut where a depth-first walk closes them. Crossings
 * are reduced by ordering each layer by the middle of its neighbours. A layer of
 * more than across nodes stands in several rows, so that names stay readable.
 */
export function layered(nodes: LayoutNode[], edges: LayoutEdge[], size: Size, across = Infinity): { placed: Placed[]; width: number; height: number } {
  const ids = nodes.map((n) => n.id);
  const known = new Set(ids);
  const out = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const e of edges) if (e.from !== e.to && known.has(e.from) && known.has(e.to)) out.get(e.from)!.push(e.to);

  // Cut cycles.
  const state = new Map<string, 1 | 2>();
  const walk = (id: string) => {
    state.set(id, 1);
    out.set(
      id,
      out.get(id)!.filter((to) => {
        if (state.get(to) === 1) return false;
        if (!state.has(to)) walk(to);
        return true;
      }),
    );
    state.set(id, 2);
  };
  for (const id of ids) if (!state.has(id)) walk(id);

  // The longest way down gives the layer.
  const depth = new Map<string, number>();
  const below = (id: string): number => {
    const d = depth.get(id);
    if (d !== undefined) return d;
    const v = Math.max(-1, ...out.get(id)!.map(below)) + 1;
    depth.set(id, v);
    return v;
  };
  ids.forEach(below);
  const bottom = Math.max(0, ...depth.values());
  const layers: string[][] = Array.from({ length: bottom + 1 }, () => []);
  for (const id of ids) layers[bottom - depth.get(id)!]!.push(id);

  const near = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const [from, tos] of out) for (const to of tos) {
    near.get(from)!.push(to);
    near.get(to)!.push(from);
  }
  const rank = new Map<string, number>();
  const index = () => layers.forEach((l) => l.forEach((id, i) => rank.set(id, (i + 0.5) / l.length)));
  index();
  for (let sweep = 0; sweep < 6; sweep++) {
    const order = sweep % 2 ? [...layers].reverse() : layers;
    for (const l of order) {
      const middle = new Map(l.map((id) => {
        const n = near.get(id)!;
        return [id, n.length ? n.reduce((s, o) => s + rank.get(o)!, 0) / n.length : rank.get(id)!];
      }));
      l.sort((a, b) => middle.get(a)! - middle.get(b)!);
      index();
    }
  }

  const rows = layers.flatMap((l, layer) => {
    const each = Math.ceil(l.length / Math.max(1, Math.ceil(l.length / across)));
    return Array.from({ length: Math.ceil(l.length / each) }, (_, i) => ({ layer, first: i === 0, ids: l.slice(i * each, (i + 1) * each) }));
  });
  const widest = Math.max(1, ...rows.map((r) => r.ids.length));
  const width = widest * size.width + (widest - 1) * size.gapX;
  let y = 0;
  const placed = rows.flatMap((r, n) => {
    // Rows of one layer stand closer together than layers.
    if (n > 0) y += size.height + (r.first ? size.gapY : size.gapX);
    const w = r.ids.length * size.width + (r.ids.length - 1) * size.gapX;
    return r.ids.map((id, i) => ({ id, layer: r.layer, x: (width - w) / 2 + i * (size.width + size.gapX), y }));
  });
  return { placed, width, height: y + size.height };
}

/**
 * Picks what a small picture can show: the given items and what lies between
 * them and the centre, nearest first, at most max.
 */
export function between(centre: string, wanted: string[], nodes: LayoutNode[], edges: LayoutEdge[], max: number): Set<string> {
  const near = new Map<string, string[]>(nodes.map((n) => [n.id, []]));
  for (const e of edges) {
    near.get(e.from)?.push(e.to);
    near.get(e.to)?.push(e.from);
  }
  const via = new Map<string, string | null>([[centre, null]]);
  const queue = [centre];
  for (let i = 0; i < queue.length; i++) {
    for (const n of near.get(queue[i]!) ?? []) {
      if (via.has(n) || !near.has(n)) continue;
      via.set(n, queue[i]!);
      queue.push(n);
    }
  }
  const keep = new Set<string>(near.has(centre) ? [centre] : []);
  const paths = wanted
    .filter((w) => via.has(w))
    .map((w) => {
      const path: string[] = [];
      for (let at: string | null | undefined = w; at; at = via.get(at)) path.push(at);
      return path;
    })
    .sort((a, b) => a.length - b.length);
  for (const p of paths) {
    const fresh = p.filter((id) => !keep.has(id));
    if (keep.size + fresh.length > max) continue;
    fresh.forEach((id) => keep.add(id));
  }
  return keep;
}
