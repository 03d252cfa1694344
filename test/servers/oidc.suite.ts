// Single sign-on with the flags that the constructs give: a real oauth2-proxy between a browser, a program and a real MLflow.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { IncomingHttpHeaders, OutgoingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { Credentials, IngressOptions, Login, MlflowStack, OidcOptions } from '../../lib';
import { ofKind } from '../helpers';
import { Served, freePort, program, until } from '../processes';
import { Environment, Script, lines, scratch } from '../run-script';
import { PYTHON } from './servers';

const OAUTH2_PROXY = program('OAUTH2_PROXY', 'oauth2-proxy', 'go install github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.3, or set OAUTH2_PROXY to it');
const HOST = 'mlflow.example.com';
const CLIENT = { id: 'mlflow', secret: 'ClientSecretThatNobodyMaySee' };
const ADA = 'ada@example.com';
const START_MS = 60_000;

jest.setTimeout(90_000);
execFileSync(PYTHON, ['-c', 'import oidc_provider_mock'], { stdio: 'ignore' });

let issuer: string;

beforeAll(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  new Served([PYTHON, '-m', 'oidc_provider_mock', `--port=${port}`], {});
  await until('the provider', async () => (await fetch(`${issuer}/.well-known/openid-configuration`)).ok || undefined, START_MS);
  await person(ADA, 'data-science');
  await person('mallory@example.org', 'data-science');
  await person('guest@example.com', 'guests');
}, START_MS);

async function person(email: string, group: string): Promise<void> {
  const claims = { email, email_verified: true, groups: [group] };
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${issuer}/users/${encodeURIComponent(email)}`, { method: 'PUT', headers, body: JSON.stringify(claims) });
  expect(answer.status).toBe(204);
}

/** Logs in at the page of the provider, which then sends the browser back to where it came from. */
async function signIn(page: string, email: string): Promise<string> {
  const answer = await fetch(page, { method: 'POST', body: new URLSearchParams({ sub: email }), redirect: 'manual' });
  expect(answer.status).toBe(302);
  return answer.headers.get('location')!;
}

/** An ID token, as the command of a provider gives it to a program. */
async function idToken(email: string, audience = CLIENT.id): Promise<string> {
  const redirect = 'http://127.0.0.1/callback';
  const parameters = { response_type: 'code', client_id: audience, redirect_uri: redirect, scope: 'openid email profile' };
  const back = new URL(await signIn(`${issuer}/oauth2/authorize?${new URLSearchParams(parameters)}`, email));
  const answer = await fetch(`${issuer}/oauth2/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`${audience}:${CLIENT.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code: back.searchParams.get('code')!, redirect_uri: redirect }),
  });
  return ((await answer.json()) as { id_token: string }).id_token;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A browser that comes in through the Ingress, which ends TLS. */
class Browser {
  private readonly cookies = new Map<string, string>();

  public constructor(private readonly port: number) {}

  public async ask(path: string, method = 'GET', json?: unknown): Promise<Answer> {
    const headers: OutgoingHttpHeaders = { host: HOST, 'x-forwarded-host': HOST, 'x-forwarded-proto': 'https', accept: '*/*' };
    if (this.cookies.size > 0) headers.cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    if (method !== 'GET') Object.assign(headers, { origin: `https://${HOST}`, 'content-type': 'application/json' });
    const answer = await new Promise<Answer>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.port, path, method, headers }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      });
      sent.on('error', reject).end(json === undefined ? undefined : JSON.stringify(json));
    });
    for (const cookie of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  /** Opens a page without session, logs in, and comes back: the answer to the callback. */
  public async logIn(path: string, email: string): Promise<Answer> {
    const { status, headers } = await this.ask(path);
    expect({ status, page: headers.location?.startsWith(`${issuer}/oauth2/authorize?`) }).toEqual({ status: 302, page: true });
    const back = new URL(await signIn(headers.location!, email));
    expect(back.origin).toBe(`https://${HOST}`);
    return this.ask(back.pathname + back.search);
  }
}

/** The containers of a stack with login, on loopback: proxy and server, with their own flags and environment. */
async function serve(staticPrefix: string | undefined, options: Partial<OidcOptions> = {}, route: Partial<IngressOptions> = { tls: { secretName: 'tls' } }): Promise<number> {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  const clientCredentials = Credentials.fromSecretName(chart, 'Client', 'client');
  new MlflowStack(chart, 'Stack', {
    login: Login.oidc({ issuerUrl: issuer, clientCredentials, emailDomains: ['example.com'], allowedGroups: ['data-science'], ...options }),
    ingress: { hosts: [HOST], ...route },
    trackingServer: { settings: { staticPrefix, deriveAllowedHosts: true } },
  });
  const pods = Object.fromEntries(ofKind(Testing.synth(chart), 'Deployment').map(({ metadata, spec }) => [metadata.name, spec.template.spec.containers[0]]));
  const [server, proxy, directory] = [await freePort(), await freePort(), scratch()];
  const replaced = (args: string[], values: Environment) => {
    const known = args.map((arg) => arg.split('=')[0]);
    expect(known).toEqual(expect.arrayContaining(Object.keys(values)));
    return args.map((arg, index) => (known[index] in values ? `${known[index]}=${values[known[index]]}` : arg));
  };
  const [command, ...flags] = replaced(pods.mlflow.args, {
    '--host': '127.0.0.1',
    '--port': String(server),
    '--backend-store-uri': `sqlite:///${join(directory, 'mlflow.db')}`,
    '--artifacts-destination': join(directory, 'artifacts'),
  });
  const settings = (pods.mlflow.env as { name: string; value?: string }[]).filter(({ name, value }) => /^MLFLOW_(?!S3_)/.test(name) && value !== undefined);
  const environment = Object.fromEntries(settings.map(({ name, value }) => [name, value!]));
  new Served([PYTHON, '-m', command, ...flags], { HOME: directory, GIT_PYTHON_REFRESH: 'quiet', ...environment });
  const addresses = { '--http-address': `127.0.0.1:${proxy}`, '--upstream': `http://127.0.0.1:${server}/` };
  new Served([OAUTH2_PROXY, ...replaced(pods['mlflow-oauth2-proxy'].args, addresses)], {
    OAUTH2_PROXY_CLIENT_ID: CLIENT.id,
    OAUTH2_PROXY_CLIENT_SECRET: CLIENT.secret,
    // like the generated one: 32 characters
    OAUTH2_PROXY_COOKIE_SECRET: randomBytes(16).toString('hex'),
  });
  await until('the proxy', async () => (await fetch(`http://127.0.0.1:${proxy}/ready`)).ok || undefined, START_MS);
  await until('MLflow', async () => (await fetch(`http://127.0.0.1:${server}${staticPrefix ?? ''}/health`)).ok || undefined, START_MS);
  return proxy;
}

const SEARCH = { max_results: 5 };
const PROGRAM = `
import mlflow
mlflow.set_experiment("by-token")
with mlflow.start_run() as run:
    mlflow.log_text("through the proxy", "note.txt")
print(mlflow.get_experiment(run.info.experiment_id).artifact_location.split("/")[0])
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
`;

describe.each([
  ['at the root', undefined],
  ['under a path', '/mlflow'],
])('%s', (_, staticPrefix) => {
  const path = staticPrefix ?? '';
  let port: number;

  beforeAll(async () => {
    port = await serve(staticPrefix);
  }, START_MS);

  test('a browser is sent to the provider, with PKCE and the redirect URL', async () => {
    const { headers } = await new Browser(port).ask(`${path}/`);
    const query = new URL(headers.location!).searchParams;
    expect(query.get('redirect_uri')).toBe(`https://${HOST}${path}/oauth2/callback`);
    expect(query.get('client_id')).toBe(CLIENT.id);
    expect(query.get('code_challenge_method')).toBe('S256');
    expect(headers.location).not.toContain('NobodyMaySee');
  });

  test('after the login the page is there, and what it asks for', async () => {
    const browser = new Browser(port);
    const callback = await browser.logIn(`${path}/`, ADA);
    expect({ status: callback.status, location: callback.headers.location }).toEqual({ status: 302, location: `${path}/` });
    const cookie = callback.headers['set-cookie']!.find((text) => text.startsWith('_mlflow_oauth2_proxy='));
    expect(cookie).toMatch(new RegExp(`; Path=${path || '/'};.*HttpOnly; Secure; SameSite=Lax$`, 'i'));
    const page = await browser.ask(`${path}/`);
    expect({ status: page.status, title: /<title>(.*?)<\/title>/.exec(page.body)?.[1] }).toEqual({ status: 200, title: 'MLflow' });
    const search = await browser.ask(`${path}/ajax-api/2.0/mlflow/experiments/search`, 'POST', SEARCH);
    expect({ status: search.status, body: search.body.includes('"experiments"') }).toEqual({ status: 200, body: true });
  });

  test.each(['api', 'ajax-api'])('a request to /%s without login gets 401, and no page', async (api) => {
    const { status, headers } = await new Browser(port).ask(`${path}/${api}/2.0/mlflow/experiments/search`, 'POST', SEARCH);
    expect({ status, location: headers.location }).toEqual({ status: 401, location: undefined });
  });

  test.each(['mallory@example.org', 'guest@example.com'])('%s, of another domain or group, is refused', async (email) => {
    const browser = new Browser(port);
    expect((await browser.logIn(`${path}/`, email)).status).toBe(403);
    expect((await browser.ask(`${path}/api/2.0/mlflow/experiments/search`, 'POST', SEARCH)).status).toBe(401);
  });

  test('a program with an ID token logs an artifact, and reads it', async () => {
    const access = { MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}${path}`, MLFLOW_TRACKING_TOKEN: await idToken(ADA) };
    const env = { HOME: scratch(), GIT_PYTHON_REFRESH: 'quiet', ...access };
    const { code, stdout, stderr } = await new Script([PYTHON, '-c', PROGRAM], env, [], 60_000).ended;
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines(stdout).filter((line) => /^(mlflow-artifacts:|through)/.test(line))).toEqual(['mlflow-artifacts:', 'through the proxy']);
  });

  test.each<[string, () => Promise<string>]>([
    ['for another audience', () => idToken(ADA, 'another-client')],
    ['of a user of another domain', () => idToken('mallory@example.org')],
    ['that was changed', async () => (await idToken(ADA)).replace(/.{8}$/, 'AAAAAAAA')],
  ])('a token %s opens nothing', async (_case, token) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}/api/2.0/mlflow/experiments/search`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${await token()}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(SEARCH),
    });
    expect([401, 403]).toContain(answer.status);
    expect(await answer.text()).not.toContain('"experiments"');
  });
});

test('without bearerTokens a token opens nothing, and everything leads to the login', async () => {
  const port = await serve(undefined, { bearerTokens: false });
  const headers = { Authorization: `Bearer ${await idToken(ADA)}` };
  const answer = await fetch(`http://127.0.0.1:${port}/api/2.0/mlflow/experiments/search`, { headers, redirect: 'manual' });
  expect({ status: answer.status, page: answer.headers.get('location')?.startsWith(issuer) }).toEqual({ status: 302, page: true });
});

test('behind a balancer that ends TLS before an Ingress without it, the login comes back by https', async () => {
  const browser = new Browser(await serve('/mlflow', { externalUrl: `https://${HOST}/mlflow` }, {}));
  const callback = await browser.logIn('/mlflow/', ADA);
  expect({ status: callback.status, location: callback.headers.location }).toEqual({ status: 302, location: '/mlflow/' });
  expect(callback.headers['set-cookie']!.find((text) => text.startsWith('_mlflow_oauth2_proxy='))).toMatch(/; Secure;/);
  const search = await browser.ask('/mlflow/ajax-api/2.0/mlflow/experiments/search', 'POST', SEARCH);
  expect({ status: search.status, body: search.body.includes('"experiments"') }).toEqual({ status: 200, body: true });
});
