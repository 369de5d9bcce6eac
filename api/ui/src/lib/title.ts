import { useEffect } from 'react';

/** Names the page in the browser's tab, history and to screen readers. */
export function useTitle(title: string | undefined) {
  useEffect(() => {
    document.title = title ? `${title} · Watchbill` : 'Watchbill';
  }, [title]);
}
