import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { Autoscaling, IpFamily, TrackingServer } from '../../lib';
import { get } from '../helpers';
import { mlflow, synth, told, valueOf, wrong } from '../tracking-server/server';

const JOBS = { settings: { jobExecution: true } };
const deployment = (props: object = {}) => get(synth(props), 'Deployment', 'mlflow').spec;
const hook = (props: object = {}) => mlflow(props).lifecycle.preStop.exec.command.join(' ') as string;
const needing = (server: TrackingServer, scope: Construct) => server.runJobs(new Construct(scope, 'Schedule'), 'run its schedule');

test('a rollout ends the pod before the next one starts; without jobs the next one starts first', () => {
  expect(deployment(JOBS).strategy).toEqual({ type: 'Recreate' });
  expect(deployment().strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
});

test('a pod that is asked to stop ends its jobs first', () => {
  expect(hook(JOBS)).toMatch(/_job_runner[^]*time\.sleep\(10\)$/);
  expect(hook()).not.toContain('_job_runner');
});

test('it has the memory for ten processes, unless resources say otherwise', () => {
  const memory = (props: object) => {
    const { requests, limits } = mlflow(props).resources;
    return [requests.memory, limits.memory];
  };
  expect([memory({}), memory(JOBS)]).toEqual([['512Mi', '1Gi'], ['2Gi', '3Gi']]);
  expect(memory({ ...JOBS, resources: { memoryRequest: Size.gibibytes(4), memoryLimit: Size.gibibytes(8) } })).toEqual(['4Gi', '8Gi']);
});

test('a limit that is too low for them is told', () => {
  expect(wrong({ ...JOBS, resources: { memoryLimit: Size.gibibytes(1) } })).toEqual([
    told('resources.memoryRequest', '"2Gi"', 'here resources.memoryLimit = 1Gi', 'raise resources.memoryLimit'),
  ]);
});

test('two pods would run the jobs of each other again', () => {
  expect(wrong({ ...JOBS, replicas: 2 })).toEqual([told('replicas', '2', 'with settings.jobExecution = true there is one pod: each that starts sets the running jobs of all others back', 'pass replicas: 1')]);
  expect(wrong({ ...JOBS, replicas: 1 })).toEqual([]);
  expect(wrong({ replicas: 2 })).toEqual([]);
});

test.each([1, 2])('and so would pods whose number follows their load, from %i on', (minReplicas) => {
  const scaled = (server: TrackingServer, scope: Construct) => new Autoscaling(scope, 'Autoscaling', { server, minReplicas, maxReplicas: 3 });
  expect(wrong(JOBS, scaled)).toEqual([told('settings.jobExecution', '"job runners in pods whose number follows their load"', 'there is one pod', 'leave autoscaling out')]);
  expect(wrong({}, scaled)).toEqual([]);
});

describe('an add-on that needs them', () => {
  test('turns them on, with all that belongs to it', () => {
    expect(valueOf(mlflow({}, needing), 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION')).toBe('true');
    expect(get(synth({}, needing), 'Deployment', 'mlflow').spec.strategy).toEqual({ type: 'Recreate' });
    expect(wrong({ replicas: 3 }, needing)).toEqual([told('replicas', '3', 'with the job runners, which [test/Schedule] needs, there is one pod', 'pass replicas: 1')]);
  });

  test('is told where they are off', () => {
    expect(wrong({ settings: { jobExecution: false } }, needing)).toEqual([
      told('settings.jobExecution', 'false', '[test/Schedule] needs the job runners of MLflow, which run its schedule', 'leave settings.jobExecution out'),
    ]);
    expect(wrong({ settings: { jobExecution: true } }, needing)).toEqual([]);
  });
});

describe('a job finds the server', () => {
  const under = (props: object) => wrong({ settings: { jobExecution: true, staticPrefix: '/ml' }, ...props });
  const prefix = told('settings.jobExecution', 'true', 'a job asks the server without settings.staticPrefix, here "/ml", which only the guard adds', 'leave guard.enabled or settings.staticPrefix out');

  test('under a path by way of the guard, or by an image that tells it', () => {
    expect(under({})).toEqual([]);
    expect(under({ guard: { enabled: false } })).toEqual([prefix]);
    for (const image of ['mlflow:v3.17.9-full', 'mlflow:latest', 'registry:5000/mlflow:main', 'mlflow:2.30']) expect(under({ guard: { enabled: false }, image })).toEqual([prefix]);
    for (const image of ['mlflow:v3.18.0-full', 'registry:5000/mlflow:3.18', 'mlflow:v4.0.0']) expect(under({ guard: { enabled: false }, image })).toEqual([]);
    expect(wrong({ settings: { staticPrefix: '/ml' }, guard: { enabled: false } })).toEqual([]);
  });

  test('at IPv4 only, of which synth warns', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    expect(wrong({ ...JOBS, cluster: { ipFamily: IpFamily.IPV6 } })).toEqual([]);
    expect(warn.mock.calls).toEqual([[expect.stringContaining('WARNING: [test/TrackingServer] settings.jobExecution: MLflow gives its jobs the address http://:::PORT')]]);
    warn.mockClear();
    wrong(JOBS);
    wrong({ cluster: { ipFamily: IpFamily.IPV6 } });
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
