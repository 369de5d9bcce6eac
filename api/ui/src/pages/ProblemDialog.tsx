import { Button, Checkbox, Modal, Textarea, TextInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { Fault } from '../api/client';
import { useMe, type Problem, type ProblemVerb, type useProblemVerb } from '../api/queries';

interface Ask {
  title: string;
  key: string;
  /** Field name → label; a * makes it needed. */
  fields: [string, string][];
}

/** What each verb asks for, in the order of a problem's life. */
export const problemVerbs: [ProblemVerb, Ask][] = [
  ['assess', { title: 'Assess', key: 'a', fields: [['reason', 'Why']] }],
  ['root_cause', { title: 'Look for the cause', key: 'l', fields: [['reason', 'Why']] }],
  ['fix', { title: 'Cause found', key: 'f', fields: [['root_cause', 'Root cause'], ['note', 'Note']] }],
  ['workaround', { title: 'Workaround', key: 'w', fields: [['workaround', 'What helps until the cause is mended*']] }],
  ['known_error', { title: 'Known error', key: 'k', fields: [['root_cause', 'Root cause'], ['workaround', 'Workaround']] }],
  ['assign', { title: 'Assign', key: 's', fields: [['assignee', 'Person'], ['team', 'Team']] }],
  ['resolve', { title: 'Resolve', key: 'r', fields: [['fix', 'What mended it'], ['root_cause', 'Root cause']] }],
  ['close', { title: 'Close', key: 'c', fields: [['reason', 'Why before the time of proof']] }],
  ['reopen', { title: 'Reopen', key: 'o', fields: [['reason', 'Why']] }],
  ['software', { title: 'Bind to a version', key: 'b', fields: [['product', 'Package or service*'], ['fixed_in', 'First version without the defect*'], ['ecosystem', 'Whose rules order its versions: deb, rpm, npm, …'], ['reason', 'Why']] }],
  ['link', { title: 'Link an incident', key: 'i', fields: [['incident', 'Its id*'], ['reason', 'Why']] }],
  ['notes', { title: 'Note', key: 'n', fields: [['note', 'Note*']] }],
];

const short = new Set(['assignee', 'team', 'incident', 'reason', 'product', 'fixed_in', 'ecosystem']);

export function ProblemDialog({ verb, problem, act, close }: { verb: ProblemVerb; problem: Problem; act: ReturnType<typeof useProblemVerb>; close: () => void }) {
  const me = useMe();
  const ask = problemVerbs.find(([v]) => v === verb)![1];
  const [v, setV] = useState<Record<string, string>>({
    root_cause: problem.root_cause ?? '', workaround: problem.workaround ?? '', fix: problem.fix ?? '', assignee: verb === 'assign' ? (problem.assignee ?? me.data?.name ?? '') : '', team: verb === 'assign' ? (problem.team ?? '') : '',
  });
  const [known, setKnown] = useState(!problem.known_error);
  const fault = act.error ? Fault.of(act.error) : undefined;
  const shut = () => {
    act.reset();
    close();
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const body: Record<string, unknown> = Object.fromEntries(ask.fields.map(([f]) => [f, v[f] || undefined]));
    if (verb === 'known_error') body.known_error = known;
    act.mutate({ verb, body }, { onSuccess: close });
  };
  return (
    <Modal opened onClose={shut} title={ask.title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={submit}>
        {verb === 'known_error' && <Checkbox size="xs" checked={known} label="It is a known error: its incidents show the workaround" onChange={(e) => setKnown(e.currentTarget.checked)} />}
        {ask.fields.map(([f, label], n) => {
          const props = { label: label.replace('*', ''), required: label.endsWith('*'), value: v[f] ?? '', error: fault?.fields[f], ...(n === 0 ? { 'data-autofocus': true } : {}) };
          const on = (x: string) => setV((o) => ({ ...o, [f]: x }));
          return short.has(f) ? <TextInput key={f} {...props} onChange={(e) => on(e.currentTarget.value)} /> : <Textarea key={f} {...props} autosize minRows={3} onChange={(e) => on(e.currentTarget.value)} />;
        })}
        {fault && (
          <p className="note bad" role="alert">
            {fault.message}
          </p>
        )}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={shut}>
            Back
          </Button>
          <Button type="submit" loading={act.isPending}>
            {ask.title}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
