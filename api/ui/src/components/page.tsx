import { useEffect, useState, type ComponentType } from 'react';
import { Failed, Loading } from './State';

/** A page whose code comes with its first visit. React's own lazy keeps what it shows meanwhile for 300 ms, however soon the code is there. */
export function page<P extends object>(load: () => Promise<{ default: ComponentType<P> }>) {
  let Page: ComponentType<P> | undefined;
  return function Opened(props: P) {
    const [error, setError] = useState<unknown>();
    const [, setOpen] = useState(!!Page);
    useEffect(() => {
      if (Page) {
        setOpen(true); // it came after this was drawn
        return;
      }
      let left = false;
      load().then(
        (m) => {
          Page = m.default;
          if (!left) setOpen(true);
        },
        (e: unknown) => !left && setError(e),
      );
      return () => {
        left = true;
      };
    }, []);
    if (Page) return <Page {...props} />;
    // Browsers do not load a module again that failed once.
    if (error) return <Failed page error={error} retry={() => location.reload()} />;
    return <Loading label="Opening the page" />;
  };
}
