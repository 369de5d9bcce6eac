import { useEffect, useRef, useState } from 'react';

/** An element's own width: what is drawn is drawn for its place, never stretched. */
export function useWidth<E extends HTMLElement = HTMLElement>(standard: number, least: number) {
  const ref = useRef<E>(null);
  const [width, set] = useState(standard);
  useEffect(() => {
    const el = ref.current;
    if (!el) return;
    const o = new ResizeObserver(([e]) => e && set(Math.max(least, Math.round(e.contentRect.width))));
    o.observe(el);
    return () => o.disconnect();
  }, [least]);
  return [ref, width] as const;
}
