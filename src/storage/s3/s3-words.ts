/** What the words of a refusal are about, where its name does not say it: a key, a quota, the place of the bucket. */
export interface Meaning {
  readonly kms: boolean;
  readonly quota: boolean;
  readonly pathStyle: boolean;
}

const nothing: Meaning = { kms: false, quota: false, pathStyle: false };

/**
 * Reads the message of a refusal. It may quote users, buckets and keys, which people name as they like ("kms-models"): only
 * whole phrases count, outside of what is quoted; and where a right is missing, only the right that it names.
 */
export function meaningOf(message: string): Meaning {
  const [, service] = /\bnot authorized to perform:?\s*(?:the action\s*)?["']?([\w-]+):/i.exec(message) ?? [];
  if (service !== undefined) return { ...nothing, kms: service.toLowerCase() === 'kms' };
  const words = withoutNames(message);
  return {
    kms: isKey.test(words),
    quota: isQuota.some((phrase) => phrase.test(words)),
    pathStyle: isPathStyle.test(words),
  };
}

const isKey = /\bkms:[a-z]|\bkms (?:master )?key\b/i;
const isQuota = [
  /\bquota (?:(?:is|was|has been) )?(?:reached|exceeded|full|used up)\b/i,
  /\b(?:exceed(?:s|ed|ing)?|over|reached|beyond) (?:\w+ ){0,3}quota\b/i,
  /\bstorage cap (?:\w+ ){0,2}(?:reached|exceeded)\b|\b(?:exceed(?:s|ed|ing)?|reached) (?:\w+ ){0,3}storage cap\b/i,
  /\b(?:no|out of|not enough) (?:\w+ )?space\b/i,
];
const isPathStyle =
  /\bpath[- ]style (?:request|access|address|url|model|is|are)|\bvirtual[- ]host(?:ed|ing)?[- ](?:styled?|address|access|url)|\bvirtual[- ]styled? domain/i;

const quoted = /(&quot;|&#34;|&apos;|&#39;|["`])(?:.*?)\1|(?<!\w)'[^']*'/gs;
/** Addresses, ARNs and keys: with a slash, two colons or a dot within. */
const names = /\S*(?:\/|::|\w\.\w)\S*/g;

function withoutNames(message: string): string {
  return message.slice(0, 2000).replace(quoted, ' ').replace(names, ' ');
}
