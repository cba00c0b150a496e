// Asks the server: paths of docs/reference/openapi.yaml, JSON both ways, problems as exceptions.

const TOKEN = 'triggerd.token';

// What went wrong, in the server's words. status 0: the server did not answer.
export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

// The token lives as long as the tab does, and no other site's page sees it.
export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? '',
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
};

// Called when a token is required, or the one that we have is not valid.
let onUnauthorized = () => {};
export function whenUnauthorized(listener) {
  onUnauthorized = listener;
}

function headers(body) {
  const all = {Accept: 'application/json', 'X-Triggerd-By': 'console'};
  if (token.get() !== '') all.Authorization = `Bearer ${token.get()}`;
  if (body !== undefined) all['Content-Type'] = 'application/json';
  return all;
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return new Problem(response.status, body.detail ?? body.title, body.errors ?? []);
  } catch {
    return new Problem(response.status, `the server answered ${response.status} ${response.statusText}`);
  }
}

async function fetched(method, path, body, options) {
  let response;
  try {
    response = await fetch(path, {
      method, headers: {...headers(body), ...options.headers}, cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body), signal: options.signal,
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, 'triggerd does not answer');
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401) onUnauthorized(problem);
  throw problem;
}

// Time out if there is no answer; a change may have to wait for others to drain.
async function ask(method, path, body, patience) {
  const response = await fetched(method, `/api/v1${path}`, body, {signal: AbortSignal.timeout(patience)})
    .catch((error) => {
      throw error.name === 'AbortError' || error.name === 'TimeoutError' ? new Problem(0, 'triggerd does not answer in time') : error;
    });
  return response.status === 204 ? null : response.json();
}

export const get = (path) => ask('GET', path, undefined, 15_000);
export const post = (path, body) => ask('POST', path, body, 90_000);
export const put = (path, body) => ask('PUT', path, body, 90_000);
export const remove = (path) => ask('DELETE', path, undefined, 90_000);

// A reader of bytes; the browser's EventSource cannot send a token.
export async function stream(path, signal) {
  const response = await fetched('GET', `/api/v1${path}`, undefined, {signal, headers: {Accept: 'text/event-stream'}});
  return response.body.getReader();
}

// path('triggers', name): each part as one segment.
export const path = (...parts) => `/${parts.map(encodeURIComponent).join('/')}`;

export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== '' && value !== undefined && value !== null);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}
