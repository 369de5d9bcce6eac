import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { Fault } from '../api/client';
import { Icon, type IconName } from './Icon';

/** A calm full-area message with a way on: there is no dead end. */
export function State({ icon = 'empty', title, children, action, page }: { icon?: IconName; title: string; children?: ReactNode; action?: ReactNode; page?: boolean }) {
  // Alone on a page it is the page's heading.
  const H = page ? 'h1' : 'h2';
  return (
    <div className="state">
      <Icon name={icon} size={40} />
      <H>{title}</H>
      {children && <p>{children}</p>}
      {action && <div className="row">{action}</div>}
    </div>
  );
}

/** What is shown before the first data: bones of the page, so that nothing jumps. */
export function Loading({ lines = 8, label = 'Loading' }: { lines?: number; label?: string }) {
  return (
    <div className="bones" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="bone" style={{ width: `${92 - ((i * 37) % 40)}%` }} />
      ))}
    </div>
  );
}

/** A failed read in words, by what the reader can do about it. */
export function Failed({ error, retry, page }: { error: unknown; retry?: () => void; page?: boolean }) {
  const f = Fault.of(error);
  if (f.status === 403)
    return (
      <State page={page} icon="lock" title="Your role does not show this">
        {f.message} Ask an administrator for the role, or sign in as somebody else.
      </State>
    );
  if (f.status === 404)
    return (
      <State page={page} icon="search" title="Not found" action={<Button component="a" href="/" variant="default">Go to what is open now</Button>}>
        {f.message}
      </State>
    );
  const offline = f.status === 0;
  return (
    <State page={page} icon="broken" title={offline ? 'The server cannot be reached' : 'This could not be read'} action={retry && <Button variant="default" onClick={retry}>Try again</Button>}>
      {offline ? 'The page tries again by itself. Nothing that was sent before is lost.' : f.message}
    </State>
  );
}
