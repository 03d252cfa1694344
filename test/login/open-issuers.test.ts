import { Credentials, Oauth2Proxy } from '../../lib';
import { AddOn } from '../add-on';
import { told } from '../tracking-server/server';

const proxy = new AddOn(Oauth2Proxy, 'Proxy', 'server', (chart) => ({ clientCredentials: Credentials.fromSecretName(chart, 'Client', 'oidc'), externalUrl: 'https://mlflow.example.com' }));
const wrong = (options: object) => proxy.wrong(options);
const GOOGLE = 'https://accounts.google.com';
const open = (issuerUrl: string) => [told('issuerUrl', JSON.stringify(issuerUrl), 'anybody can have an account at', 'name who may log in', 'Proxy')];

test.each([
  GOOGLE,
  'https://accounts.google.com/',
  'https://Accounts.Google.com',
  'https://login.microsoftonline.com/common/v2.0',
  'https://login.microsoftonline.com/organizations/v2.0',
  'https://login.microsoftonline.com/consumers/v2.0',
  'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
  'https://login.microsoftonline.us/common/v2.0',
  'https://sts.windows.net/common/',
  'https://huggingface.co',
  'https://orcid.org',
  'https://gitlab.com',
  'https://token.actions.githubusercontent.com',
])('%s lets everybody in, where nothing says who may', (issuerUrl) => {
  expect(wrong({ issuerUrl })).toEqual(open(issuerUrl));
  expect(wrong({ issuerUrl, emailDomains: ['*'] })).toEqual(open(issuerUrl));
});

test.each<[string, object]>([
  ['a domain', { emailDomains: ['example.com'] }],
  ['a group', { allowedGroups: ['team'] }],
  ['a list of addresses', { extraArgs: ['--authenticated-emails-file=/etc/emails'] }],
])('%s says who may', (_, options) => {
  expect(wrong({ issuerUrl: GOOGLE, ...options })).toEqual([]);
});

test.each(['gmail.com', 'Outlook.com', '.com'])('a domain of which everybody has an address says nothing: %s', (domain) => {
  expect(wrong({ issuerUrl: GOOGLE, emailDomains: ['example.com', domain] })).toEqual([told('emailDomains', JSON.stringify(domain), `with an address of ${domain}`, 'name who may log in', 'Proxy')]);
});

test.each(['https://login.example.com', 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0', 'https://accounts.google.com.example.com', 'https://gitlab.example.com', 'https://login.microsoftonline.com/commonwealth'])(
  '%s is the provider of an organisation',
  (issuerUrl) => {
    expect(wrong({ issuerUrl })).toEqual([]);
    expect(wrong({ issuerUrl, emailDomains: ['gmail.com'] })).toEqual([]);
  },
);

test('a password in a flag of the proxy is told without it', () => {
  const [fault] = wrong({ issuerUrl: 'https://login.example.com', extraArgs: ['--redis-connection-url=redis://:hunter2@redis:6379'] });
  expect(fault).toContain('got "--redis-connection-url=redis://:***@redis:6379". Rule: there is a password in it');
});
