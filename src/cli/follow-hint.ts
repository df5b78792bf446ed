/** How to follow a run that another process works on. */
export function followHint(workflowId: string): string {
  return [
    'Follow it with one of:',
    `  model-prefetch status ${workflowId}`,
    `  model-prefetch result ${workflowId}`,
    `  temporal workflow show --workflow-id ${workflowId}`,
  ].join('\n');
}

/** What whoever stops waiting has to know. */
export function runGoesOn(workflowId: string): string {
  return `The run goes on without this process.\n${followHint(workflowId)}`;
}
