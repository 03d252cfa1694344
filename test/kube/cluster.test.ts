import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Cluster } from '../../lib/kube/cluster';
import { ClusterOptions, IpFamily } from '../../lib/options/cluster-options';
import { PropChecks } from '../../lib/validation/prop-checks';
import { faults } from '../helpers';

function cluster(given?: object) {
  const chart = Testing.chart();
  return { cluster: new Cluster(new PropChecks(new Construct(chart, 'Part')), given as ClusterOptions), wrong: () => faults(chart) };
}

test('is cluster.local with IPv4 where nothing is said', () => {
  for (const given of [undefined, {}]) {
    const { cluster: it, wrong } = cluster(given);
    expect([it.domain, it.anyAddress, it.host('mlflow', 'team'), it.address('127.0.0.1')]).toEqual(['cluster.local', '0.0.0.0', 'mlflow.team.svc.cluster.local', '127.0.0.1']);
    expect(wrong()).toEqual([]);
  }
});

test('names of Services end in its domain', () => {
  const { cluster: it, wrong } = cluster({ domain: 'k8s.example.com' });
  expect(it.host('mlflow', 'team')).toBe('mlflow.team.svc.k8s.example.com');
  expect(wrong()).toEqual([]);
});

test('with IPv6 servers listen at all of its addresses, and an address is in brackets before a port', () => {
  const { cluster: it, wrong } = cluster({ ipFamily: IpFamily.IPV6 });
  expect([it.anyAddress, it.address('::1')]).toEqual(['::', '[::1]']);
  expect(wrong()).toEqual([]);
});

test('a domain may be as long as the longest names of Services leave room for', () => {
  const domain = ['a'.repeat(63), 'b'.repeat(57)].join('.');
  const { cluster: it, wrong } = cluster({ domain });
  expect(it.host('s'.repeat(63), 'n'.repeat(63))).toHaveLength(253);
  expect(wrong()).toEqual([]);
  expect(cluster({ domain: `${domain}b` }).wrong()).toHaveLength(1);
});

test.each([['Cluster.Local'], ['cluster.local.'], ['.local'], ['cluster..local'], [''], ['a b'], ['-a.local'], [`${'a'.repeat(64)}.local`], [5], [{}]])('the domain cannot be %j', (domain) => {
  expect(cluster({ domain }).wrong()).toEqual([expect.stringMatching(/^\[test\/Part\] cluster\.domain: got .+ Rule: .+https:.+ Fix: .+"cluster\.local"\.$/)]);
});

test('the family is one of two', () => {
  expect(cluster({ ipFamily: 'ipv6' }).wrong()).toEqual(['[test/Part] cluster.ipFamily: got "ipv6". Rule: the family is one of IPv4, IPv6. Fix: pass one of them.']);
});

test('another name is none', () => {
  expect(cluster({ domian: 'a' }).wrong()).toEqual([expect.stringMatching(/cluster\.domian: .+ did you mean cluster\.domain\?/)]);
});
