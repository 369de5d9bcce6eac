import type { TimelineEntry } from '../api/queries';
import { Time } from '../lib/time';

/** A record's life, newest first: what happened last is what the reader wants. */
export function Timeline({ entries }: { entries: TimelineEntry[] }) {
  if (entries.length === 0) return <p className="muted">Nothing yet.</p>;
  return (
    <ol className="timeline">
      {[...entries].reverse().map((e) => (
        <li key={e.seq} className={e.kind === 'note' ? 'note-line' : undefined}>
          <span className="bead" aria-hidden="true" />
          <div>
            <div className="when">
              <Time at={e.at} mode="clock" /> · {e.actor}
              {e.kind === 'note' ? ' · note' : ''}
            </div>
            <div className="text">{e.text}</div>
          </div>
        </li>
      ))}
    </ol>
  );
}
