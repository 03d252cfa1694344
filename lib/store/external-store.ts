import { isIP } from 'node:net';
import { tcp } from '../kube/connections';
import { isCidr } from '../kube/network';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { CertificateAuthority } from '../options/certificate-authority';
import { ICredentials } from '../secrets/credentials';
import { SecretKey } from '../options/secret-key';
import { k8s } from '../../imports/k8s';

const CA: Shape<CertificateAuthority> = { secretName: 'value', configMapName: 'value', key: 'value' };
const SECRET_KEY: Shape<SecretKey> = { secretName: 'value', key: 'value' };
/** Readable for the group of the pod, which is its fsGroup. */
const FILE_MODE = 0o440;
const LABEL = '[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?';
const HOST = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

/** A file that a pod gets, and where. */
export interface MountedFile {
  readonly path: string;
  readonly volume: k8s.Volume;
  readonly mount: k8s.VolumeMount;
}

/** A name or an address, as it stands in a certificate and in DNS. */
export function isHost(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > 253) return false;
  return isIP(value) !== 0 || (HOST.test(value) && !/^[\d.]+$/.test(value));
}

/** A host that is no more than that: scheme, port and credentials have places of their own. */
export function host(checks: PropChecks, prop: string, value: string, example: string): string {
  if (!isHost(value)) {
    checks.fault({
      prop,
      value,
      // what is no host may be a whole URI, with a password
      hidden: /[@:]/.test(String(value)),
      rule: 'a host is a DNS name or an IP address, without scheme, port, path and credentials (https://www.rfc-editor.org/rfc/rfc1123#page-13)',
      fix: `pass a host such as ${JSON.stringify(example)}`,
    });
  }
  return value;
}

/** A host as it stands in a URI. */
export function uriHost(value: string): string {
  return isIP(value) === 6 ? `[${value}]` : value;
}

/** A port of a server that somebody else runs, who may be root. */
export function remotePort(checks: PropChecks, prop: string, value: number, example: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 65535) {
    checks.fault({ prop, value, rule: 'the port of a server is a whole number from 1 to 65535', fix: `pass a port such as ${example}` });
  }
  return value;
}

/** How many connections a database takes, where that is known. */
export function maxConnections(checks: PropChecks, prop: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : checks.count(prop, value, 'the number of connections');
}

/** What keys in a bucket begin with, without the slash between it and the rest; undefined for the whole bucket. */
export function keyPrefix(checks: PropChecks, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !/^[\w.=-]+(\/[\w.=-]+)*$/.test(value) || value.split('/').some((part) => /^\.+$/.test(part)) || value.length > 200) {
    checks.fault({
      prop: 'prefix',
      value,
      rule:
        'a prefix has letters, digits, ".", "_", "-" and "=", with single slashes in between and none at its ends, no part "." or "..", at most 200 characters: ' +
        'these mean the same in a URI and in a key (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)',
      fix: 'pass a prefix such as "mlflow/team-a", or leave it out for the whole bucket',
    });
  }
  return value;
}

/** URI of a bucket or of a prefix in it. */
export function destination(root: string, prefix: string | undefined): string {
  return prefix === undefined ? root : `${root}/${prefix}`;
}

/** Credentials that have their values from elsewhere: no Job of this library fills a Secret for a server that it does not run. */
export function existing(checks: PropChecks, credentials: ICredentials): ICredentials {
  if (credentials.generated) {
    checks.fault({
      prop: 'credentials',
      value: `Secret "${credentials.secretName}", whose values a bootstrap Job would make up`,
      rule: 'a server outside the stack has its users already, and no Job that would fill the Secret',
      fix: 'pass Credentials.fromSecretName(…) or new ExternalSecretCredentials(…)',
    });
  }
  return credentials;
}

/** The connections to ports of a server whose addresses are in these ranges, or anywhere. */
export function egressTo(checks: PropChecks, cidrs: string[] | undefined, ports: number[]): k8s.NetworkPolicyEgressRule {
  const given = cidrs && checks.members('cidrs', cidrs, 'string', 'address ranges', '"10.20.0.0/16"');
  if (given?.length === 0) {
    checks.fault({ prop: 'cidrs', value: cidrs, rule: 'the list has one range or more: with none the NetworkPolicy would let nothing out', fix: 'leave it out for any address, or pass ["10.20.0.0/16"]' });
  }
  given?.forEach((cidr, index) => {
    if (!isCidr(cidr)) {
      checks.fault({
        prop: `cidrs[${index}]`,
        value: cidr,
        rule: 'a range is an IP address, a slash and the number of fixed bits (https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors)',
        fix: 'pass a range such as "10.20.0.0/16", or "10.20.1.5/32" for one address',
      });
    }
  });
  return { ...(given === undefined ? {} : { to: given.map((cidr) => ({ ipBlock: { cidr } })) }), ports: tcp([...new Set(ports)]) };
}

/** A connection to one of these addresses: what hands out tokens to pods is at the same address in every cluster. */
export function toAddress(port: number, ...addresses: string[]): k8s.NetworkPolicyEgressRule {
  return { to: addresses.map((address) => ({ ipBlock: { cidr: `${address}/${isIP(address) === 6 ? 128 : 32}` } })), ports: tcp([port]) };
}

/** A value of a Secret, where the prop is given. */
export function secretKey(checks: PropChecks, prop: string, given: SecretKey | undefined): SecretKey | undefined {
  if (given === undefined) return undefined;
  const { secretName, key } = checks.props(given, SECRET_KEY, `${prop}.`);
  return {
    secretName: checks.objectName(`${prop}.secretName`, checks.required(`${prop}.secretName`, secretName, 'none', 'the name of the Secret', '"my-secret"')),
    key: checks.secretKey(`${prop}.key`, checks.required(`${prop}.key`, key, 'none', 'the key in the Secret', '"key"')),
  };
}

/** A value of a Secret as a file. An optional one may come after the start of the pod, which else waits for the next try of its mount. */
export function secretFile(volumeName: string, folder: string, { secretName, key }: SecretKey, file: string, optional?: boolean): MountedFile {
  return mounted(folder, file, { name: volumeName, secret: { secretName, items: [{ key, path: file }], defaultMode: FILE_MODE, optional } });
}

/** The certificates of authorities as a file, where the prop is given. */
export function caFile(checks: PropChecks, prop: string, given: CertificateAuthority | undefined, volumeName: string, folder: string): MountedFile | undefined {
  if (given === undefined) return undefined;
  const { secretName, configMapName, key: named } = checks.props(given, CA, `${prop}.`);
  const key = checks.secretKey(`${prop}.key`, named ?? 'ca.crt');
  if ((secretName === undefined) === (configMapName === undefined)) {
    checks.fault({
      prop,
      value: secretName === undefined ? given : `both a Secret "${secretName}" and a ConfigMap "${configMapName}"`,
      rule: `the certificates stand in one place: ${prop}.secretName or ${prop}.configMapName`,
      fix: 'pass one of the two, such as { configMapName: "ca-certificates" }',
    });
  }
  if (secretName !== undefined) return secretFile(volumeName, folder, { secretName: checks.objectName(`${prop}.secretName`, secretName), key }, 'ca.crt');
  const name = configMapName && checks.objectName(`${prop}.configMapName`, configMapName);
  return mounted(folder, 'ca.crt', { name: volumeName, configMap: { name, items: [{ key, path: 'ca.crt' }], defaultMode: FILE_MODE } });
}

function mounted(folder: string, file: string, volume: k8s.Volume): MountedFile {
  return { path: `${folder}/${file}`, volume, mount: { name: volume.name, mountPath: folder } };
}
