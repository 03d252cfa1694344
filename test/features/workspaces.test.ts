import { mlflow, told, valueOf, wrong } from '../tracking-server/server';

test('the server has workspaces where they are asked for', () => {
  expect(valueOf(mlflow({ workspaces: true }), 'MLFLOW_ENABLE_WORKSPACES')).toBe('true');
  for (const props of [{}, { workspaces: false }]) expect(valueOf(mlflow(props), 'MLFLOW_ENABLE_WORKSPACES')).toBeUndefined();
});

test('a second owner is told', () => {
  expect(wrong({ workspaces: true, extraEnv: [{ name: 'MLFLOW_ENABLE_WORKSPACES', value: 'false' }] })).toEqual([
    expect.stringContaining('MLFLOW_ENABLE_WORKSPACES'),
  ]);
});

test('it is true or false', () => {
  expect(wrong({ workspaces: 'yes' })).toEqual([told('workspaces', '"yes"', 'the value is true or false', 'pass true or false')]);
});
