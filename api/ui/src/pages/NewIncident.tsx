import { Button, Modal, Select, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { api, Fault, must } from '../api/client';

export const scale = [
  { value: '1', label: '1 · high' },
  { value: '2', label: '2 · medium' },
  { value: '3', label: '3 · low' },
];

/** Opens an incident by hand. */
export function NewIncident({ opened, close }: { opened: boolean; close: () => void }) {
  const [, go] = useLocation();
  const client = useQueryClient();
  const [title, setTitle] = useState('');
  const [description, setDescription] = useState('');
  const [impact, setImpact] = useState('2');
  const [urgency, setUrgency] = useState('2');
  const create = useMutation({
    mutationFn: () => must(api.POST('/api/v1/incidents', { body: { title, description: description || undefined, impact: Number(impact), urgency: Number(urgency) } })),
    onSuccess: (i) => {
      void client.invalidateQueries({ queryKey: ['incidents'] });
      close();
      go(`/incidents/${i.id}`);
    },
  });
  const fault = create.error ? Fault.of(create.error) : undefined;
  return (
    <Modal opened={opened} onClose={close} title="Open an incident by hand" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          create.mutate();
        }}
      >
        <TextInput label="What is wrong" required value={title} onChange={(e) => setTitle(e.currentTarget.value)} error={fault?.fields.title} data-autofocus />
        <Textarea label="More" autosize minRows={3} value={description} onChange={(e) => setDescription(e.currentTarget.value)} error={fault?.fields.description} />
        <div className="row">
          <Select label="Impact" data={scale} value={impact} onChange={(v) => setImpact(v ?? '2')} error={fault?.fields.impact} />
          <Select label="Urgency" data={scale} value={urgency} onChange={(v) => setUrgency(v ?? '2')} error={fault?.fields.urgency} />
          <span className="muted" style={{ alignSelf: 'end', paddingBottom: 6 }}>
            Priority {Number(impact) + Number(urgency) - 1}
          </span>
        </div>
        {fault && Object.keys(fault.fields).length === 0 && <p className="note bad">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>
            Back
          </Button>
          <Button type="submit" loading={create.isPending}>
            Open incident
          </Button>
        </div>
      </form>
    </Modal>
  );
}
