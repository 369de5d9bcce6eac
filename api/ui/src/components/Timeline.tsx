import { useState } from 'react';
import type { TimelineEntry } from '../api/queries';
import { Time } from '../lib/time';
import { Linked } from './bits';

/** A record's life, newest first: what happened last is what the reader wants. */
export function Timeline({ entries }: { entries: TimelineEntry[] }) {
  const [most, setMost] = useState(60);
  if (entries.length === 0) return <p className="muted">Nothing yet.</p>;
  const newest = [...entries].reverse();
  return (
    <>
      <ol className="timeline">
        {newest.slice(0, most).map((e) => (
          <li key={e.seq} className={e.kind === 'note' ? 'note-line' : e.kind === 'alert' ? 'quiet' : undefined}>
            <span className="bead" aria-hidden="true" />
            <div>
              <div className="when">
                <Time at={e.at} mode="clock" /> · {e.actor}
                {e.kind === 'note' ? ' · note' : ''}
              </div>
              <div className="text">{e.kind === 'note' ? <Linked text={e.text} /> : <Long text={e.text} />}</div>
            </div>
          </li>
        ))}
      </ol>
      {newest.length > most && (
        <button type="button" className="more" onClick={() => setMost(most + 500)}>
          {newest.length - most} older entries
        </button>
      )}
    </>
  );
}

/** A long sentence begins short: during a storm each joining alert brings its whole reasoning. */
function Long({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  if (text.length <= 180 || open) return <Linked text={text} />;
  const cut = text.lastIndexOf(';', 150);
  return (
    <>
      <Linked text={text.slice(0, cut > 40 ? cut : 150)} />…{' '}
      <button type="button" className="more" onClick={() => setOpen(true)}>
        more
      </button>
    </>
  );
}
