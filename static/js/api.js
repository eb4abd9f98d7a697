// The native API as the pages call it.

export class Failure extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.hint = error.hint ?? "";
    this.requestId = error.request_id ?? "";
  }
}

export const ask = (question, signal) => post("/api/v1/search", question, signal);
export const tell = (feedback) => post("/api/v1/feedback", feedback);

async function post(path, body, signal) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content },
    body: JSON.stringify(body),
    signal,
  });
  const answer = await response.json();
  if (!response.ok) throw new Failure(response.status, answer.error);
  return answer;
}
