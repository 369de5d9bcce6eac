import '@mantine/core/styles/baseline.css';
import '@mantine/core/styles/default-css-variables.css';
import '@mantine/core/styles/global.css';
import '@mantine/core/styles/ScrollArea.css';
import '@mantine/core/styles/UnstyledButton.css';
import '@mantine/core/styles/VisuallyHidden.css';
import '@mantine/core/styles/Paper.css';
import '@mantine/core/styles/Popover.css';
import '@mantine/core/styles/CloseButton.css';
import '@mantine/core/styles/Group.css';
import '@mantine/core/styles/Loader.css';
import '@mantine/core/styles/Overlay.css';
import '@mantine/core/styles/ModalBase.css';
import '@mantine/core/styles/Modal.css';
import '@mantine/core/styles/Input.css';
import '@mantine/core/styles/InlineInput.css';
import '@mantine/core/styles/Combobox.css';
import '@mantine/core/styles/Checkbox.css';
import '@mantine/core/styles/CheckboxIndicator.css';
import '@mantine/core/styles/Switch.css';
import '@mantine/core/styles/Button.css';
import '@mantine/core/styles/PasswordInput.css';
import '@mantine/core/styles/ActionIcon.css';
import '@mantine/core/styles/Menu.css';
import '@mantine/core/styles/Tooltip.css';
import '@mantine/core/styles/Notification.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './styles/tokens.css';
import './styles/app.css';

import { createTheme, MantineProvider, type MantineColorsTuple } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { Fault } from './api/client';
import { App } from './App';

// Only the name matters: tokens.css gives every shade through variables.
const accent = Array.from({ length: 10 }, () => '#0b6e74') as unknown as MantineColorsTuple;

const theme = createTheme({
  primaryColor: 'accent',
  colors: { accent },
  cursorType: 'pointer',
  defaultRadius: 'sm',
  components: {
    // A scroll lock would write a <style> element, which the content security policy forbids.
    Modal: { defaultProps: { lockScroll: false, centered: true, overlayProps: { backgroundOpacity: 0.35 }, transitionProps: { duration: 120 } } },
    Button: { defaultProps: { size: 'xs', variant: 'filled' } },
    TextInput: { defaultProps: { size: 'xs' } },
    // The list itself scrolls: around it, a scroll area that nothing in it can focus would be out of a keyboard's reach.
    Select: { defaultProps: { size: 'xs', comboboxProps: { shadow: 'md' }, allowDeselect: false, withScrollArea: false, classNames: { options: 'options' } } },
    Textarea: { defaultProps: { size: 'xs' } },
    Menu: { defaultProps: { shadow: 'md', withInitialFocusPlaceholder: false } },
    Portal: { defaultProps: { target: '#overlays' } },
    Tooltip: { defaultProps: { openDelay: 300 } },
  },
});

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      retry: (n, e) => n < 3 && (Fault.of(e).status === 0 || Fault.of(e).status >= 500),
      refetchOnWindowFocus: true,
    },
  },
});

createRoot(document.getElementById('root')!).render(
  <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
    <QueryClientProvider client={client}>
      <Notifications position="bottom-right" autoClose={5000} />
      <App />
    </QueryClientProvider>
  </MantineProvider>,
);
