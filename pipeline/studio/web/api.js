/** Requests to the server of the studio. Each failure is one sentence. */

const TOKEN = "inkwash-token";
export const LOST = "The studio does not answer. See that prep studio still runs; the page goes on when it is back.";

/** A request that failed; its message is a sentence for the person at the page. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0 if the server did not answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Take the token out of the address, if it is there, and keep it for this tab. */
export function keepToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem(TOKEN, token);
  history.replaceState(null, "", location.pathname + location.search);
}

/**
 * Ask the server; return its answer. Throw RequestError if it refuses or does not answer, and AbortError.
 *
 * @param {string} path of this site
 * @param {RequestInit} [given]
 * @returns {Promise<Response>}
 */
export async function request(path, given = {}) {
  const headers = new Headers(given.headers);
  const token = sessionStorage.getItem(TOKEN);
  if ((given.method ?? "GET") !== "GET" && token) headers.set("X-Inkwash-Token", token);
  let answer;
  try {
    answer = await fetch(path, { ...given, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(LOST, 0);
  }
  if (!answer.ok) throw new RequestError(await sentenceOf(answer), answer.status);
  return answer;
}

async function sentenceOf(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return `The studio answered with ${answer.status} ${answer.statusText}.`;
  }
}

/** Ask for a JSON document, with parameters for the address. */
export async function getJson(path, parameters = {}, given = {}) {
  const words = new URLSearchParams(parameters).toString();
  return (await request(words ? `${path}?${words}` : path, given)).json();
}

/** Send a JSON document and return the one that comes back. */
export async function sendJson(method, path, body, given = {}) {
  const headers = { "Content-Type": "application/json" };
  return (await request(path, { method, headers, body: JSON.stringify(body), ...given })).json();
}
