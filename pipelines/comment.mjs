// Posts FILE as a comment on the pull request (GitHub) or merge request (GitLab) of this job, or puts it in the place of
// the one that it posted before:
//
//   node pipelines/comment.mjs FILE
//
// Takes the token from GITHUB_TOKEN or GITLAB_TOKEN, everything else from the variables that the CI system sets.
import { readFileSync } from 'node:fs';

const MARKER = '<!-- cdk8s-manifests -->';
const TIMEOUT_MS = 30_000;

class Fault extends Error {}

const { env } = process;

function tokenFrom(name, advice) {
  const token = env[name]?.trim();
  if (!token) throw new Fault(`${name} is not set: ${advice}`);
  // fetch() would quote it in its error
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Fault(`${name} has characters that no token has`);
  return token;
}

function numberOfPullRequest() {
  let event = {};
  try {
    event = JSON.parse(readFileSync(env.GITHUB_EVENT_PATH, 'utf8'));
  } catch {
    // GITHUB_REF tells as well
  }
  const number = event.pull_request?.number ?? /^refs\/pull\/(\d+)\//.exec(env.GITHUB_REF ?? '')?.[1];
  if (number === undefined) throw new Fault('this run belongs to no pull request: run it on the event pull_request');
  return number;
}

function github() {
  const comments = `${env.GITHUB_API_URL ?? 'https://api.github.com'}/repos/${env.GITHUB_REPOSITORY}/issues`;
  const list = `${comments}/${numberOfPullRequest()}/comments`;
  const token = tokenFrom('GITHUB_TOKEN', 'give the step "env: GITHUB_TOKEN: ${{ github.token }}"');
  return {
    name: 'GitHub',
    token,
    headers: { authorization: `Bearer ${token}`, accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
    list,
    one: (id) => `${comments}/comments/${id}`,
    update: 'PATCH',
    refused: 'the job needs "permissions: pull-requests: write", which a pull request from a fork never gets',
  };
}

function gitlab() {
  const project = env.CI_MERGE_REQUEST_PROJECT_ID ?? env.CI_PROJECT_ID;
  if (!env.CI_MERGE_REQUEST_IID) throw new Fault('this pipeline belongs to no merge request: run the job on merge_request_event');
  const list = `${env.CI_API_V4_URL}/projects/${project}/merge_requests/${env.CI_MERGE_REQUEST_IID}/notes`;
  const token = tokenFrom('GITLAB_TOKEN', 'keep a project access token with role Reporter and scope api in it, since CI_JOB_TOKEN may not comment');
  return {
    name: 'GitLab',
    token,
    headers: { 'private-token': token },
    list,
    one: (id) => `${list}/${id}`,
    update: 'PUT',
    refused: 'the token needs the role Reporter and the scope api',
  };
}

function service() {
  if (env.GITHUB_REPOSITORY) return github();
  if (env.CI_API_V4_URL) return gitlab();
  throw new Fault('this is no job of GitHub or GitLab: neither GITHUB_REPOSITORY nor CI_API_V4_URL is set');
}

async function request({ name, headers, refused }, method, url, body) {
  const options = { method, headers: { ...headers, 'content-type': 'application/json' }, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) };
  let response;
  let answer;
  try {
    response = await fetch(url, body === undefined ? options : { ...options, body: JSON.stringify({ body }) });
    answer = await response.json().catch(() => undefined);
  } catch (error) {
    throw new Fault(`${name} cannot be reached at ${new URL(url).origin}: ${error.cause?.code ?? error.cause?.message ?? error.message}`);
  }
  if (response.ok) return { answer, next: /<[^>]*[?&]page=(\d+)[^>]*>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1] };
  const message = JSON.stringify(answer?.message ?? answer?.error ?? response.statusText);
  const advice = { 401: ': the token is not valid, or no longer', 403: `: ${refused}`, 404: `: the token does not see ${new URL(url).pathname}` };
  throw new Fault(`${name} answers ${method} with ${response.status} ${message}${advice[response.status] ?? ''}`);
}

async function find(api) {
  for (let page = '1'; page !== undefined; ) {
    const { answer, next } = await request(api, 'GET', `${api.list}?per_page=100&page=${page}`);
    if (!Array.isArray(answer)) throw new Fault(`${api.name} answers with something else than a list of comments`);
    const found = answer.find(({ body, system }) => system !== true && body?.startsWith(MARKER));
    if (found !== undefined) return found;
    page = next;
  }
  return undefined;
}

async function main(api, file) {
  const body = `${MARKER}\n${file}`;
  const found = await find(api);
  if (found?.body === body) return 'The comment is up to date';
  if (found === undefined) await request(api, 'POST', api.list, body);
  else await request(api, api.update, api.one(found.id), body);
  return found === undefined ? 'Posted the comment' : 'Updated the comment';
}

function read(...args) {
  if (args.length !== 1) throw new Fault('usage: node comment.mjs FILE');
  try {
    return readFileSync(args[0], 'utf8');
  } catch (error) {
    throw new Fault(`${args[0]} cannot be read (${error.code})`);
  }
}

let token = '';
try {
  const file = read(...process.argv.slice(2));
  const api = service();
  token = api.token;
  console.log(await main(api, file));
} catch (error) {
  const message = error instanceof Fault ? error.message : String(error);
  console.error(`comment: ${token === '' ? message : message.replaceAll(token, '***')}`);
  process.exitCode = 1;
}
