import { Duration } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { TrackingServerProps } from './tracking-server-props';
import { IRouteTarget } from '../access/route-target';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { Connections } from '../kube/connections';
import { ContainerResources } from '../options/resources';
import { ICredentials } from '../secrets/credentials';
import { k8s } from '../../imports/k8s';

/** Pods of a tracking server beside those of its Deployment: the same but for what is named here. */
export interface FurtherPods {
  /** Labels of the pods. */
  readonly labels: { [key: string]: string };

  /** Those of them that select the pods. */
  readonly podLabels: { [key: string]: string };

  /** The most pods that there are. Connections to the database are counted by it. */
  readonly maxReplicas: number;

  /**
   * CPU and memory of the container of the server.
   *
   * @default - those of the other pods, without what job runners take
   */
  readonly resources?: ContainerResources;

  /**
   * Variables of the server that have another value in these pods.
   *
   * @default - none
   */
  readonly variables?: k8s.EnvVar[];
}

/**
 * A tracking server as its add-ons see it. Each method that sets something takes the construct that does, so that a message can
 * name it.
 */
export interface ITrackingServer extends IConstruct, IRouteTarget {
  /** Name of the Deployment, and beginning of the names of all other objects. */
  readonly name: string;

  /** Namespace of all objects. */
  readonly namespace: string;

  /** Port of the server and of its Services. */
  readonly port: number;

  /** Path under which the server answers; empty where that is "/". */
  readonly staticPrefix: string;

  /** Host name of the server, which resolves in the whole cluster. */
  readonly host: string;

  /** URI for clients in the cluster: what they pass to `mlflow.set_tracking_uri`. */
  readonly trackingUri: string;

  /** The props as they were given, whose defaults add-ons share: where pods run, where images come from, the cluster. */
  readonly options: TrackingServerProps;

  /** Where experiments, runs and the model registry are kept. */
  readonly backendStore: IBackendStore;

  /** Where artifacts are kept. */
  readonly artifactStore: IArtifactStore;

  /** The server. */
  readonly deployment: k8s.KubeDeployment;

  /** Service `<name>-service`. */
  readonly service: k8s.KubeService;

  /** Labels of the objects. */
  readonly labels: { [key: string]: string };

  /** Labels that select the pods. */
  readonly podLabels: { [key: string]: string };

  /** Who may connect to the pods, and to whom they connect. */
  readonly connections: Connections;

  /** Fewest pods that there are. */
  readonly minReplicas: number;

  /** Whether the server answers for every host, so that none has to be added. */
  readonly allowsAllHosts: boolean;

  /** What is in a pod, with what add-ons and users have added. */
  readonly podSpec: k8s.PodSpec;

  /** The variables of the server, as they will stand in the pod. */
  readonly environment: k8s.EnvVar[];

  /** Credentials with which parts of the stack log in to the server, where an add-on has set up a login. */
  readonly clientCredentials?: ICredentials;

  /** ServiceAccount of the pods, where an add-on has set one. */
  readonly serviceAccountName?: string;

  /**
   * Adds a flag of `mlflow server`. A flag that another owner has set, or the variable of the same meaning, is a fault.
   *
   * @param owner the construct that adds it
   * @param flag the flag, with its value, as one argument, such as `--app-name=basic-auth`
   * @throws at synth, where somebody else sets it
   */
  addFlag(owner: Construct, flag: string): void;

  /**
   * Adds an environment variable of the server. One that another owner has set, or the flag of the same meaning, is a fault.
   *
   * @param owner the construct that adds it
   * @param variable the variable; its value may be a `Lazy`
   * @throws at synth, where somebody else sets it
   */
  addVariable(owner: Construct, variable: k8s.EnvVar): void;

  /**
   * Adds a volume to the pods, and mounts it into the container of the server.
   *
   * @param owner the construct that adds it
   * @param volume the volume
   * @param mounts where it is mounted
   * @throws at synth, where its name or one of the paths is taken
   */
  addVolume(owner: Construct, volume: k8s.Volume, ...mounts: k8s.VolumeMount[]): void;

  /**
   * Adds a container beside that of the server. An image, a pull policy and a security context that it does not have are
   * those of this library.
   *
   * @param owner the construct that adds it
   * @param container the container
   * @throws at synth, where its name is taken, or where it would break the Pod Security Standard `restricted`
   */
  addSidecar(owner: Construct, container: k8s.Container): void;

  /**
   * Puts a container before the server in each pod of its Deployment: it has the port of the server, at which Services and
   * NetworkPolicies lead to it, and hands on to the server what it does not answer itself.
   *
   * @param owner the construct that adds it
   * @param container the container, without ports
   * @param volumes the volumes of the container alone
   * @returns the port at which the server listens from then on, at all addresses of the pod
   * @throws at synth, where another construct has put one there, or where a name is taken
   */
  addFront(owner: Construct, container: k8s.Container, ...volumes: k8s.Volume[]): number;

  /**
   * Describes further pods of this server for a Deployment of another construct, with what add-ons add to its pods until synth, but
   * without what stands before the server in them. They run no jobs, and answer at the port of the server.
   *
   * @param owner the construct that has the Deployment
   * @param pods how they differ
   * @returns their template, which is known at synth
   */
  addPods(owner: Construct, pods: FurtherPods): k8s.PodTemplateSpec;

  /**
   * Lets routes send transfers of artifacts to another Service than that of the server.
   *
   * @param owner the construct that has the Service
   * @param serviceName its name, with the port of the server
   * @param paths beginnings of the paths that go there
   * @throws at synth, where another construct takes them
   */
  addArtifactRoutes(owner: Construct, serviceName: string, paths: string[]): void;

  /**
   * Adds an annotation of the pods, so that they are replaced when it changes: the checksum of a file that is mounted.
   *
   * @param owner the construct that adds it
   * @param name the name of the annotation, such as `checksum/login`
   * @param value its value
   * @throws at synth, where somebody else has set it
   */
  addPodAnnotation(owner: Construct, name: string, value: string): void;

  /**
   * Lets the server answer for a host that programs ask for. Where it answers for all, this changes nothing.
   *
   * @param host the host with its port, as it stands in the header of a request
   */
  addAllowedHost(host: string): void;

  /**
   * Lets clients connect to the server; nobody else may then.
   *
   * @param peers who may connect
   */
  allowFrom(...peers: k8s.NetworkPolicyPeer[]): void;

  /**
   * Lets the server connect to something.
   *
   * @param rules to whom, and at which ports
   */
  allowTo(...rules: k8s.NetworkPolicyEgressRule[]): void;

  /**
   * Gives a pod more time to start, before Kubernetes starts it again.
   *
   * @param duration the time that is added
   */
  allowStartup(duration: Duration): void;

  /**
   * Gives a pod that is asked to stop at least this time.
   *
   * @param duration the time
   */
  allowTermination(duration: Duration): void;

  /**
   * Leaves the number of pods to somebody else.
   *
   * @param owner the construct that sets it
   * @param minReplicas fewest pods that there will be
   * @param maxReplicas most pods that there will be, `minReplicas` where it is left out
   * @throws at synth, where the prop `replicas` fixes it
   */
  scaleBy(owner: Construct, minReplicas: number, maxReplicas?: number): void;

  /**
   * Turns the job runners of MLflow on, as `settings.jobExecution` does.
   *
   * @param owner the construct that needs them
   * @param what what the job runners do for it, such as "run its schedule"
   * @throws at synth, where `settings.jobExecution` is false
   */
  runJobs(owner: Construct, what: string): void;

  /**
   * Gives the pods a ServiceAccount, by which a store may know them.
   *
   * @param owner the construct that does
   * @param serviceAccountName its name
   * @throws at synth, where somebody else has given them one
   */
  runAs(owner: Construct, serviceAccountName: string): void;

  /**
   * Says that a construct decides who comes in, be it before the server or in it. A server has one such login.
   *
   * @param owner the construct that is the login
   * @param credentials the user with whom parts of the stack log in themselves, where they do not pass the login by
   * @returns whether it is the only one
   * @throws at synth, where there is another, whose name stands in the message
   */
  addLogin(owner: Construct, credentials?: ICredentials): boolean;
}
