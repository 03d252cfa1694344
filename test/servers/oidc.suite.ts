// Single sign-on with the flags that the constructs give: a real oauth2-proxy between a browser, a program and a real MLflow.
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { IncomingHttpHeaders, OutgoingHttpHeaders, request } from 'node:http';
import { createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Chart, Testing } from 'cdk8s';
import { Credentials, IngressOptions, Login, MlflowStack, OidcOptions } from '../../lib';
import { ofKind } from '../helpers';
import { Served, freePort, program, until } from '../processes';
import { Environment, Script, lines, scratch } from '../run-script';
import { PYTHON, certificate } from './servers';

const OAUTH2_PROXY = program('OAUTH2_PROXY', 'oauth2-proxy', 'go install github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.3, or set OAUTH2_PROXY to it');
const NGINX = program('NGINX', 'nginx', 'apt-get install nginx-light, or set NGINX to it');
const HOST = 'mlflow.example.com';
const CLIENT = { id: 'mlflow', secret: 'ClientSecretThatNobodyMaySee' };
const ADA = 'ada@example.com';
/** Somebody whose token is large, as of users in many groups. */
const CROWD = 'crowd@example.com';
const START_MS = 60_000;

jest.setTimeout(90_000);
execFileSync(PYTHON, ['-c', 'import oidc_provider_mock'], { stdio: 'ignore' });

let issuer: string;
/** Those of the Ingress of the stack that was served last. */
let ingressAnnotations: { [name: string]: string };

beforeAll(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  new Served([PYTHON, '-m', 'oidc_provider_mock', `--port=${port}`], {});
  await until('the provider', async () => (await fetch(`${issuer}/.well-known/openid-configuration`)).ok || undefined, START_MS);
  await person(ADA, ['data-science']);
  await person('mallory@example.org', ['data-science']);
  await person('guest@example.com', ['guests']);
  await person(CROWD, ['data-science', ...Array.from({ length: 35 }, () => randomUUID())]);
}, START_MS);

async function person(email: string, groups: string[], at = issuer): Promise<void> {
  const claims = { email, email_verified: true, groups };
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${at}/users/${encodeURIComponent(email)}`, { method: 'PUT', headers, body: JSON.stringify(claims) });
  expect(answer.status).toBe(204);
}

/** Logs in at the page of the provider, which then sends the browser back to where it came from. */
async function signIn(page: string, email: string): Promise<string> {
  const answer = await fetch(page, { method: 'POST', body: new URLSearchParams({ sub: email }), redirect: 'manual' });
  expect(answer.status).toBe(302);
  return answer.headers.get('location')!;
}

/** An ID token, as the command of a provider gives it to a program. */
async function idToken(email: string, audience = CLIENT.id, at = issuer): Promise<string> {
  const redirect = 'http://127.0.0.1/callback';
  const parameters = { response_type: 'code', client_id: audience, redirect_uri: redirect, scope: 'openid email profile' };
  const back = new URL(await signIn(`${at}/oauth2/authorize?${new URLSearchParams(parameters)}`, email));
  const answer = await fetch(`${at}/oauth2/token`, {
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
  const objects = Testing.synth(chart);
  ingressAnnotations = ofKind(objects, 'Ingress')[0].metadata.annotations;
  const pods = Object.fromEntries(ofKind(objects, 'Deployment').map(({ metadata, spec }) => [metadata.name, spec.template.spec.containers[0]]));
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

function bearer(token: string): Record<string, string> {
  return { 'Content-Type': 'application/json', ...(token === '' ? {} : { Authorization: `Bearer ${token}` }) };
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

  test.each([
    ...['api/2.0/mlflow/experiments/search', 'ajax-api/2.0/mlflow/experiments/search', 'v1/traces', 'graphql'],
    ...['gateway/mlflow/v1/chat/completions', 'gateway/proxy/chat/v1/models', 'gateway/chat/mlflow/invocations'],
  ])('a program at /%s gets 401 without a token and with one that was changed, and no page', async (api) => {
    for (const token of ['', (await idToken(ADA)).replace(/.{8}$/, 'AAAAAAAA')]) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}/${api}`, { method: 'POST', headers: bearer(token), body: JSON.stringify(SEARCH), redirect: 'manual' });
      expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({ status: 401, location: null });
    }
  });

  test.each(['health', 'version'])('the page %s, which programs read, gives 401 too', async (page) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}/${page}`, { redirect: 'manual' });
    expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({ status: 401, location: null });
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

test('a program whose token has expired gets 401 for traces, models and the API, and no page', async () => {
  const provider = await freePort();
  const issuerUrl = `http://127.0.0.1:${provider}`;
  new Served([PYTHON, '-m', 'oidc_provider_mock', `--port=${provider}`, '--token-max-age=1'], {});
  await until('the provider', async () => (await fetch(`${issuerUrl}/.well-known/openid-configuration`)).ok || undefined, START_MS);
  await person(ADA, ['data-science'], issuerUrl);
  const port = await serve(undefined, { issuerUrl });
  const ask = async (path: string, token: string) => {
    const { status, headers } = await fetch(`http://127.0.0.1:${port}/${path}`, { method: 'POST', headers: bearer(token), body: JSON.stringify(SEARCH), redirect: 'manual' });
    return { status, location: headers.get('location') };
  };
  const token = await idToken(ADA, CLIENT.id, issuerUrl);
  expect((await ask('api/2.0/mlflow/experiments/search', token)).status).toBe(200);
  await sleep(1_500);
  for (const path of ['v1/traces', 'gateway/mlflow/v1/chat/completions', 'api/2.0/mlflow/experiments/search']) {
    expect(await ask(path, token)).toEqual({ status: 401, location: null });
  }
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

describe('behind nginx, as ingress-nginx sets it up', () => {
  let proxy: number;

  beforeAll(async () => {
    proxy = await serve(undefined);
  }, START_MS);

  async function nginx(bufferSize: string): Promise<Browser> {
    const [port, folder] = [await freePort(), scratch()];
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
    const location = `proxy_pass http://127.0.0.1:${proxy}; proxy_set_header Host $http_host; proxy_buffer_size ${bufferSize}; proxy_buffers 4 ${bufferSize};`;
    writeFileSync(join(folder, 'nginx.conf'), `daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${paths} server { listen 127.0.0.1:${port}; location / { ${location} } } }`);
    new Served([NGINX, '-p', folder, '-c', join(folder, 'nginx.conf')], {});
    await until('nginx', async () => (await fetch(`http://127.0.0.1:${port}/ping`)).ok || undefined, START_MS);
    return new Browser(port);
  }

  test('a session above 4 KiB logs in', async () => {
    const browser = await nginx(ingressAnnotations['nginx.ingress.kubernetes.io/proxy-buffer-size']);
    const callback = await browser.logIn('/', CROWD);
    expect(callback.status).toBe(302);
    expect(callback.headers['set-cookie']!.join('').length).toBeGreaterThan(4_096);
    expect((await browser.ask('/ajax-api/2.0/mlflow/experiments/search', 'POST', SEARCH)).status).toBe(200);
  });

  test('it does not with the buffer that nginx has by default', async () => {
    expect((await (await nginx('4k')).logIn('/', CROWD)).status).toBe(502);
  });
});

describe('an issuer whose certificate is from an authority of its own', () => {
  /** "ready" where the proxy finds out who the provider is, else what it says when it ends. */
  async function starts(ca: boolean): Promise<string> {
    const { authority, certificate: cert, key } = certificate();
    const pages = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ issuer: own, authorization_endpoint: `${own}/authorize`, token_endpoint: `${own}/token`, jwks_uri: `${own}/keys`, id_token_signing_alg_values_supported: ['RS256'] }));
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const own = `https://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
    const clientCredentials = Credentials.fromSecretName(chart, 'Client', 'client');
    new MlflowStack(chart, 'Stack', { login: Login.oidc({ issuerUrl: own, clientCredentials, externalUrl: `https://${HOST}`, ...(ca && { issuerCa: { configMapName: 'ca' } }) }) });
    const [pod] = ofKind(Testing.synth(chart), 'Deployment').filter(({ metadata }) => metadata.name === 'mlflow-oauth2-proxy');
    const port = await freePort();
    const values: { [flag: string]: string } = { '--http-address': `127.0.0.1:${port}`, '--provider-ca-file': authority };
    const args = (pod.spec.template.spec.containers[0].args as string[]).map((arg) => (arg.split('=')[0] in values ? `${arg.split('=')[0]}=${values[arg.split('=')[0]]}` : arg));
    const secrets = { OAUTH2_PROXY_CLIENT_ID: CLIENT.id, OAUTH2_PROXY_CLIENT_SECRET: CLIENT.secret, OAUTH2_PROXY_COOKIE_SECRET: randomBytes(16).toString('hex') };
    const script = new Script([OAUTH2_PROXY, ...args], secrets, [], 30_000);
    let ended: string | undefined;
    void script.ended.then(({ stdout, stderr }) => (ended = stdout + stderr));
    try {
      return await until('the proxy', async () => ended ?? ((await fetch(`http://127.0.0.1:${port}/ready`)).ok ? 'ready' : undefined), 30_000).catch((error: unknown) => ended ?? String(error));
    } finally {
      script.kill('SIGKILL');
      pages.closeAllConnections();
      pages.close();
    }
  }

  test('is known by the file of the construct', async () => expect(await starts(true)).toBe('ready'));

  test('is not known without it', async () => expect(await starts(false)).toContain('certificate signed by unknown authority'));
});
