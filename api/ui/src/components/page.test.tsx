import { act } from 'react';
import { createRoot } from 'react-dom/client';
import { expect, test } from 'vitest';
import { page } from './page';

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

// The code may come after a page was drawn without it and before its effect asks for it.
test('a page whose code came between its drawing and its effect opens', async () => {
  const atOnce = { then: (ok: (m: { default: () => string }) => void) => ok({ default: () => 'there' }) };
  const Page = page(() => atOnce as unknown as Promise<{ default: () => string }>);
  const box = document.createElement('div');
  await act(async () =>
    createRoot(box).render(
      <>
        <Page />
        <Page />
      </>,
    ),
  );
  expect(box.textContent).toBe('therethere');
});
