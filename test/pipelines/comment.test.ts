import { createServer, IncomingMessage, Server } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Environment, ROOT, run, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'pipelines/comment.mjs');
const MARKER = '<!-- cdk8s-manifests -->';
const TOKEN = 'token-that-nobody-may-see';
const PAGE_SIZE = 100;

interface Comment {
  readonly id: number;
  body: string;
  readonly system?: boolean;
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** The part of both APIs that lists, makes and changes comments, for one list of comments. */
class Api {
  public readonly requests: Request[] = [];
  public readonly comments: Comment[] = [];
  /** Answered instead, to requests of this method. */
  public refusal?: { readonly method: string; readonly status: number; readonly body: string; readonly headers?: { [name: string]: string } };
  private readonly server: Server;

  public constructor(private readonly list: string, private readonly one: string) {
    this.server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += chunk));
      request.on('end', () => {
        const { status, body, headers } = this.answer(request, text);
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
      });
    });
  }

  public get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  public async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  public async stop(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, text: string): { status: number; body: string; headers?: { [name: string]: string } } {
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, url, headers });
    if (this.refusal?.method === method) return this.refusal;
    const { pathname, searchParams } = new URL(url, this.url);
    const id = Number(pathname.split('/').at(-1));
    if (method === 'GET' && pathname === this.list) {
      const page = Number(searchParams.get('page'));
      const end = page * PAGE_SIZE;
      const link = `<${this.url}${this.list}?page=1>; rel="first"${end < this.comments.length ? `, <${this.url}${this.list}?per_page=100&page=${page + 1}>; rel="next"` : ''}`;
      return { status: 200, body: JSON.stringify(this.comments.slice(end - PAGE_SIZE, end)), headers: { link } };
    }
    const { body } = JSON.parse(text) as { body: string };
    if (method === 'POST' && pathname === this.list) {
      this.comments.push({ id: this.comments.length + 1, body });
      return { status: 201, body: '{}' };
    }
    const comment = this.comments.find((each) => each.id === id);
    if (pathname !== `${this.one}/${id}` || comment === undefined) return { status: 404, body: '{"message":"Not Found"}' };
    comment.body = body;
    return { status: 200, body: '{}' };
  }
}

describe.each([
  {
    name: 'GitHub',
    list: '/repos/org/app/issues/7/comments',
    one: '/repos/org/app/issues/comments',
    update: 'PATCH',
    header: { authorization: `Bearer ${TOKEN}` },
    environment: (url: string) => ({
      GITHUB_API_URL: url,
      GITHUB_REPOSITORY: 'org/app',
      GITHUB_EVENT_PATH: join(scratch({ event: '{"pull_request":{"number":7}}' }), 'event'),
      GITHUB_TOKEN: TOKEN,
    }),
    outside: [{ GITHUB_EVENT_PATH: '', GITHUB_REF: 'refs/heads/main' }, 'this run belongs to no pull request: run it on the event pull_request'] as const,
    noToken: 'give the step "env: GITHUB_TOKEN: ${{ github.token }}"',
    variable: 'GITHUB_TOKEN',
    forbidden: 'the job needs "permissions: pull-requests: write", which a pull request from a fork never gets',
  },
  {
    name: 'GitLab',
    list: '/api/v4/projects/42/merge_requests/7/notes',
    one: '/api/v4/projects/42/merge_requests/7/notes',
    update: 'PUT',
    header: { 'private-token': TOKEN },
    environment: (url: string) => ({ CI_API_V4_URL: `${url}/api/v4`, CI_PROJECT_ID: '42', CI_MERGE_REQUEST_IID: '7', GITLAB_TOKEN: TOKEN }),
    outside: [{ CI_MERGE_REQUEST_IID: '' }, 'this pipeline belongs to no merge request: run the job on merge_request_event'] as const,
    noToken: 'keep a project access token with role Reporter and scope api in it, since CI_JOB_TOKEN may not comment',
    variable: 'GITLAB_TOKEN',
    forbidden: 'the token needs the role Reporter and the scope api',
  },
])('on $name', ({ name, list, one, update, header, environment, outside, noToken, variable, forbidden }) => {
  let api: Api;

  beforeEach(async () => {
    api = new Api(list, one);
    await api.start();
  });

  afterEach(() => api.stop());

  const post = (text: string, more: Environment = {}) =>
    run([process.execPath, SCRIPT, join(scratch({ 'manifests.md': text }), 'manifests.md')], { ...environment(api.url), ...more });
  const methods = () => api.requests.map(({ method }) => method);

  async function fails(more: Environment = {}): Promise<string> {
    const { code, stdout, stderr } = await post('text', more);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^comment: [^\n]*\n$/);
    expect(stderr).not.toContain(TOKEN);
    return stderr.slice('comment: '.length, -1);
  }

  test('the comment is posted once, and put in its place from then on', async () => {
    expect(await post('first')).toMatchObject({ code: 0, stdout: 'Posted the comment\n', stderr: '' });
    expect(await post('second')).toMatchObject({ code: 0, stdout: 'Updated the comment\n', stderr: '' });
    expect(await post('second')).toMatchObject({ code: 0, stdout: 'The comment is up to date\n', stderr: '' });
    expect(api.comments).toEqual([{ id: 1, body: `${MARKER}\nsecond` }]);
    expect(methods()).toEqual(['GET', 'POST', 'GET', update, 'GET']);
    expect(api.requests.every(({ headers }) => Object.entries(header).every(([key, value]) => headers[key] === value))).toBe(true);
  });

  test('the comment is found behind many others, and no other is touched', async () => {
    for (let id = 1; id <= 230; id++) api.comments.push({ id, body: `> ${MARKER}\nquoted by somebody` });
    api.comments.push({ id: 231, body: `${MARKER}\nmade by the system`, system: true }, { id: 232, body: `${MARKER}\nold` }, { id: 233, body: 'last' });
    expect(await post('new')).toMatchObject({ code: 0, stdout: 'Updated the comment\n' });
    expect(api.comments.filter(({ body }) => body.endsWith('new')).map(({ id }) => id)).toEqual([232]);
    expect(methods()).toEqual(['GET', 'GET', 'GET', update]);
  });

  test('outside of a request, or without a good token, nothing is asked', async () => {
    expect(await Promise.all([fails(outside[0]), fails({ [variable]: ' ' }), fails({ [variable]: `${TOKEN}\nmore` })])).toEqual([
      outside[1],
      `${variable} is not set: ${noToken}`,
      `${variable} has characters that no token has`,
    ]);
    expect(api.requests).toEqual([]);
  });

  test('a newline behind the token does no harm', async () => {
    expect(await post('text', { [variable]: `${TOKEN}\n` })).toMatchObject({ code: 0, stdout: 'Posted the comment\n' });
  });

  test('a refusal is one sentence, without the token even where the answer has it', async () => {
    const sentence = async (method: string, status: number, body: string) => {
      const refusing = new Api(list, one);
      refusing.refusal = { method, status, body };
      await refusing.start();
      const said = await fails(environment(refusing.url));
      await refusing.stop();
      return said;
    };
    const sentences = [
      sentence('GET', 401, `{"message":"bad ${TOKEN}"}`),
      sentence('POST', 403, '{"message":"Resource not accessible\\nby integration"}'),
      sentence('GET', 404, '{"message":"404 Not Found"}'),
      sentence('GET', 502, '<html>'),
    ];
    expect(await Promise.all(sentences)).toEqual([
      `${name} answers GET with 401 "bad ***": the token is not valid, or no longer`,
      `${name} answers POST with 403 "Resource not accessible\\nby integration": ${forbidden}`,
      `${name} answers GET with 404 "404 Not Found": the token does not see ${list}`,
      `${name} answers GET with 502 "Bad Gateway"`,
    ]);
  });

  test('a redirect is not followed with the token', async () => {
    api.refusal = { method: 'GET', status: 302, body: '', headers: { location: `${api.url}/elsewhere` } };
    expect(await fails()).toBe(`${name} cannot be reached at ${api.url}: unexpected redirect`);
    expect(api.requests).toHaveLength(1);
  });

  test('a service that is not there is named', async () => {
    const gone = new Api(list, one);
    await gone.start();
    const { url } = gone;
    await gone.stop();
    expect(await fails(environment(url))).toBe(`${name} cannot be reached at ${url}: ECONNREFUSED`);
  });
});

test('the number of a pull request of GitHub is in GITHUB_REF as well', async () => {
  const api = new Api('/repos/org/app/issues/12/comments', '/repos/org/app/issues/comments');
  await api.start();
  const environment = { GITHUB_API_URL: api.url, GITHUB_REPOSITORY: 'org/app', GITHUB_REF: 'refs/pull/12/merge', GITHUB_TOKEN: TOKEN };
  expect(await run([process.execPath, SCRIPT, join(scratch({ text: 'text' }), 'text')], environment)).toMatchObject({ code: 0, stdout: 'Posted the comment\n' });
  await api.stop();
});

test('a merge request from a fork is commented where it is merged', async () => {
  const api = new Api('/projects/1/merge_requests/7/notes', '/projects/1/merge_requests/7/notes');
  await api.start();
  const environment = { CI_API_V4_URL: api.url, CI_PROJECT_ID: '2', CI_MERGE_REQUEST_PROJECT_ID: '1', CI_MERGE_REQUEST_IID: '7', GITLAB_TOKEN: TOKEN };
  expect(await run([process.execPath, SCRIPT, join(scratch({ text: 'text' }), 'text')], environment)).toMatchObject({ code: 0, stdout: 'Posted the comment\n' });
  await api.stop();
});

test.each([
  [[], 'usage: node comment.mjs FILE'],
  [['/nowhere/manifests.md'], '/nowhere/manifests.md cannot be read (ENOENT)'],
  [[__filename], 'this is no job of GitHub or GitLab: neither GITHUB_REPOSITORY nor CI_API_V4_URL is set'],
])('arguments %j without a CI system: %s', async (args, message) => {
  expect(await run([process.execPath, SCRIPT, ...args], {})).toMatchObject({ code: 1, stdout: '', stderr: `comment: ${message}\n` });
});
