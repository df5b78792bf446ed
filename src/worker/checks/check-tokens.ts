import { checkSecrets } from '../../config/check-secrets.js';
import type { Role } from '../../core/queues.js';
import { joined, type Check } from './check-worker.js';

/** Who gives a token to the Hub. */
export const HUB_ROLES: readonly Role[] = ['main', 'transfer'];

/** The secrets that inputs may name: what is named as it is has to be there. */
export const checkTokens: Check = async ({ settings, roles }) => {
  if (!roles.some((role) => HUB_ROLES.includes(role))) return [];
  const { found, problems } = await checkSecrets(settings);
  if (problems.length > 0) throw joined(problems);
  return found.length === 0 ? ['no token'] : [`tokens ${found.join(', ')}`];
};
