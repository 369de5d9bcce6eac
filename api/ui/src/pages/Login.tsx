import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, Fault, must } from '../api/client';
import { useTitle } from '../lib/title';

export function Login() {
  const client = useQueryClient();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  useTitle('Sign in');
  const login = useMutation({
    mutationFn: () => must(api.POST('/api/v1/login', { body: { user, password } })),
    onSuccess: () => {
      if (location.pathname === '/login') location.assign('/');
      else void client.resetQueries(); // what one person saw is not for the next
    },
  });
  const fault = login.error ? Fault.of(login.error) : undefined;
  return (
    <main className="login">
      <form
        className="card"
        onSubmit={(e) => {
          e.preventDefault();
          login.mutate();
        }}
      >
        <div className="brand" style={{ padding: 0 }}>
          <img src="/favicon.svg" width={26} height={26} alt="" /> Watchbill
        </div>
        <h1>Sign in</h1>
        <TextInput size="sm" label="Name" autoComplete="username" autoFocus required value={user} onChange={(e) => setUser(e.currentTarget.value)} />
        <PasswordInput size="sm" label="Password" autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.currentTarget.value)} visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }} />
        {fault && (
          <p className="note bad" role="alert">
            {fault.status === 0 ? 'The server cannot be reached.' : fault.message}
          </p>
        )}
        <Button type="submit" size="sm" loading={login.isPending}>
          Sign in
        </Button>
        <p className="muted small">
          No password yet? A one-time link lets you in: the first start printed one, and <code>watchbill login-link USER</code> on the server makes another.
        </p>
      </form>
    </main>
  );
}
