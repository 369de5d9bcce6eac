import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { api, Fault, must } from '../api/client';
import { useIncident, useMay } from '../api/queries';
import { Copy, StateChip } from '../components/bits';
import { Failed, Loading } from '../components/State';
import { download } from '../lib/csv';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';

/** The post-incident review: drafted from the records, finished by people. */
export default function Review({ id }: { id: string }) {
  const client = useQueryClient();
  const incident = useIncident(id);
  const q = useQuery({ queryKey: ['incident', id, 'review'], queryFn: () => must(api.GET('/api/v1/incidents/{id}/review', { params: { path: { id } } })), refetchOnWindowFocus: false });
  const may = useMay('responder');
  const [text, setText] = useState<string>();
  useTitle(`Review of ${id}`);
  const save = useMutation({
    mutationFn: () => must(api.PUT('/api/v1/incidents/{id}/review', { params: { path: { id } }, body: { text: text ?? q.data!.text } })),
    onSuccess: (r) => {
      client.setQueryData(['incident', id, 'review'], r);
      void client.invalidateQueries({ queryKey: ['timeline', id] });
      setText(undefined);
      notifications.show({ message: 'The review is kept' });
    },
  });
  const dirty = text !== undefined && text !== q.data?.text;
  useEffect(() => {
    if (!dirty) return;
    const ask = (e: BeforeUnloadEvent) => e.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [dirty]);
  if (q.error) return <Failed page error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const r = q.data;
  const over = incident.data && ['resolved', 'closed'].includes(incident.data.state);
  return (
    <div className="page">
      <div className="headline"><h1>Review of {id}</h1></div>
      <div className="meta">
        <Link href={`/incidents/${id}`}>{incident.data?.title ?? id}</Link>
        {incident.data && <StateChip state={incident.data.state} />}
        {r.draft ? <span className="chip warn">draft from the records</span> : <span>finished by {r.by} <Time at={r.at} /></span>}
        {dirty && <span className="chip">not saved</span>}
      </div>
      <div className="actions">
        {may && over && <Button loading={save.isPending} disabled={!r.draft && !dirty} onClick={() => save.mutate()}>{r.draft ? 'Finish the review' : 'Save'}</Button>}
        <Button variant="default" onClick={() => download(`${id}-review.md`, text ?? r.text, 'text/markdown;charset=utf-8')}>Markdown file</Button>
        <Copy text={text ?? r.text} label="Copy the review" />
      </div>
      {!over && <p className="note small">The incident is not over: its review can be read, and finished once it is resolved.</p>}
      {save.error && <p className="note bad" role="alert">{Fault.of(save.error).message}</p>}
      {may && over ? (
        <textarea className="notebox mono review" aria-label="The review, in Markdown" spellCheck value={text ?? r.text} onChange={(e) => setText(e.currentTarget.value)} />
      ) : (
        <pre className="snippet review" tabIndex={0} aria-label="The review, in Markdown" style={{ whiteSpace: 'pre-wrap' }}>{r.text}</pre>
      )}
    </div>
  );
}
