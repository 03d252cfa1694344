import { server, synth, told, wrong } from '../tracking-server/server';
import { get, ofKind } from '../helpers';

const budget = (podDisruptionBudget: object, props: object = {}) => get(synth({ podDisruptionBudget, ...props }), 'PodDisruptionBudget', 'mlflow').spec;
const SELECTOR = { matchLabels: { 'app.kubernetes.io/name': 'mlflow', 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': 'tracking-server' } };

test('there is none for one pod, unless it is asked for', () => {
  expect(server().disruptionBudget).toBeUndefined();
  expect(ofKind(synth(), 'PodDisruptionBudget')).toEqual([]);
});

test.each([{ replicas: 2 }, { autoscaling: { maxReplicas: 3 } }])('there is one for several pods: %j', (props) => {
  expect(get(synth(props), 'PodDisruptionBudget', 'mlflow').spec).toEqual(budget({}));
  expect(server(props).disruptionBudget?.kind).toBe('PodDisruptionBudget');
});

test('one pod may be missing, and one that is not ready may always be taken', () => {
  expect(budget({})).toEqual({ maxUnavailable: 1, selector: SELECTOR, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  expect(budget({}, { replicas: 3 })).toEqual(budget({}));
});

test('maxUnavailable and minAvailable', () => {
  expect(budget({ maxUnavailable: 2 }, { replicas: 3 })).toMatchObject({ maxUnavailable: 2 });
  const { minAvailable, ...rest } = budget({ minAvailable: 2 }, { replicas: 3 });
  expect(minAvailable).toBe(2);
  expect(rest).not.toHaveProperty('maxUnavailable');
});

test('both at once contradict each other', () => {
  expect(wrong({ replicas: 3, podDisruptionBudget: { minAvailable: 1, maxUnavailable: 2 } })).toEqual([
    told('podDisruptionBudget.minAvailable', '1', 'podDisruptionBudget.maxUnavailable = 2 is given as well', 'leave one of them out'),
  ]);
});

test.each<[object, string]>([
  [{}, 'replicas = 1'],
  [{ replicas: 1 }, 'replicas = 1'],
  [{ autoscaling: { minReplicas: 1, maxReplicas: 9 } }, 'autoscaling.minReplicas = 1'],
])('with %j a budget of one pod would block every drain', (props, than) => {
  expect(wrong({ ...props, podDisruptionBudget: { minAvailable: 1 } })).toEqual([
    told('podDisruptionBudget.minAvailable', '1', `it is below ${than}: with no pod to spare, no node can be drained`, `raise ${than.split(' ')[0]}`),
  ]);
});

test('as many pods as autoscaling leaves at least', () => {
  expect(wrong({ autoscaling: { maxReplicas: 9 }, podDisruptionBudget: { minAvailable: 1 } })).toEqual([]);
  expect(wrong({ autoscaling: { maxReplicas: 9 }, podDisruptionBudget: { minAvailable: 2 } })).toHaveLength(1);
});

test.each<[object, string, string]>([
  [{ minAvailable: 0 }, 'minAvailable', '0'],
  [{ minAvailable: '50%' }, 'minAvailable', '"50%"'],
  [{ maxUnavailable: 0 }, 'maxUnavailable', '0'],
  [{ maxUnavailable: '1' }, 'maxUnavailable', '"1"'],
])('%j is refused', (podDisruptionBudget, prop, got) => {
  expect(wrong({ replicas: 3, podDisruptionBudget })).toEqual([told(`podDisruptionBudget.${prop}`, got, 'the number of pods is a whole number of 1 or more', '')]);
});

test('a prop that there is not', () => {
  expect(wrong({ podDisruptionBudget: { minAvailabe: 1 } })).toEqual([told('podDisruptionBudget.minAvailabe', 'a number', 'there is no prop of this name', 'did you mean podDisruptionBudget.minAvailable?')]);
});
