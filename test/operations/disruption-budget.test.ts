import { Testing } from 'cdk8s';
import { Autoscaling, DisruptionBudget, MlflowStack, MlflowStackProps } from '../../lib';
import { AddOn } from '../add-on';
import { faults, get, ofKind } from '../helpers';
import { server, synth, told } from '../tracking-server/server';

const addOn = new AddOn(DisruptionBudget, 'Budget');
const budget = (options: object, props: object = {}) => get(addOn.synth(options, props), 'PodDisruptionBudget', 'mlflow').spec;
const SELECTOR = { matchLabels: { 'app.kubernetes.io/name': 'mlflow', 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': 'tracking-server' } };

test('there is none for one pod, unless it is asked for', () => {
  expect(ofKind(synth(), 'PodDisruptionBudget')).toEqual([]);
  expect(new MlflowStack(Testing.chart(), 'Stack').disruptionBudget).toBeUndefined();
  expect(new MlflowStack(Testing.chart(), 'Stack', { podDisruptionBudget: {} }).disruptionBudget).toBeInstanceOf(DisruptionBudget);
});

test.each<MlflowStackProps>([{ trackingServer: { replicas: 2 } }, { autoscaling: { maxReplicas: 3 } }])('a stack has one for several pods: %j', (props) => {
  const chart = Testing.chart();
  const stack = new MlflowStack(chart, 'Stack', props);
  expect(get(Testing.synth(chart), 'PodDisruptionBudget', 'mlflow').spec).toEqual(budget({}));
  expect(stack.disruptionBudget?.podDisruptionBudget.kind).toBe('PodDisruptionBudget');
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
  expect(addOn.wrong({ minAvailable: 1, maxUnavailable: 2 }, { replicas: 3 })).toEqual([told('minAvailable', '1', 'maxUnavailable = 2 is given as well', 'leave one of them out', 'Budget')]);
});

test.each([{}, { replicas: 1 }])('with %j a budget of one pod would block every drain', (props) => {
  expect(addOn.wrong({ minAvailable: 1 }, props)).toEqual([
    told('minAvailable', '1', 'it is below the number of pods, of which there may be 1: with no pod to spare, no node can be drained', 'raise replicas of the tracking server', 'Budget'),
  ]);
});

test.each(['before', 'behind'])('as many pods as autoscaling leaves at least, with the budget made %s it', (order) => {
  const found = (minReplicas: number, minAvailable: number) => {
    const chart = Testing.chart();
    const tracking = server({}, chart);
    const makers = [() => addOn.to(chart, tracking, { minAvailable }), () => new Autoscaling(chart, 'Autoscaling', { server: tracking, minReplicas, maxReplicas: 9 })];
    for (const make of order === 'before' ? makers : makers.reverse()) make();
    return faults(chart);
  };
  expect(found(2, 1)).toEqual([]);
  expect(found(2, 2)).toEqual([told('minAvailable', '2', 'there may be 2', '(with autoscaling: minReplicas)', 'Budget')]);
  expect(found(1, 1)).toEqual([told('minAvailable', '1', 'there may be 1', '(with autoscaling: minReplicas)', 'Budget')]);
});

test('two for one server: a pod with two budgets cannot be evicted', () => {
  const { chart, server: tracking } = addOn.add();
  addOn.to(chart, tracking, {}, 'Second');
  expect(faults(chart)).toEqual([told('server', 'PodDisruptionBudget "mlflow" in namespace "mlflow", which [test/Budget/DisruptionBudget] makes already', 'each kind has a name once', 'make one DisruptionBudget for each tracking server', 'Second')]);
});

test.each<[object, string, string]>([
  [{ minAvailable: 0 }, 'minAvailable', '0'],
  [{ minAvailable: '50%' }, 'minAvailable', '"50%"'],
  [{ maxUnavailable: 0 }, 'maxUnavailable', '0'],
  [{ maxUnavailable: '1' }, 'maxUnavailable', '"1"'],
])('%j is refused', (podDisruptionBudget, prop, got) => {
  expect(addOn.wrong(podDisruptionBudget, { replicas: 3 })).toEqual([told(prop, got, 'the number of pods is a whole number of 1 or more', '', 'Budget')]);
});

test('a prop that there is not', () => {
  expect(addOn.wrong({ minAvailabe: 1 })).toEqual([told('minAvailabe', 'a number', 'there is no prop of this name', 'did you mean minAvailable?', 'Budget')]);
});
