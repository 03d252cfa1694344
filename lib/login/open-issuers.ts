import { OidcOptions } from './oidc-options';
import { PropChecks } from '../validation/prop-checks';

/** Providers at which anybody can have an account, by the beginning of the issuer's URL without its scheme. */
const OPEN_ISSUERS = [
  'accounts.google.com',
  // Entra, with its clouds of countries and its older name: accounts of all organisations, of all persons, or of both; the last
  // one is the tenant of all persons
  ...['login.microsoftonline.com', 'login.microsoftonline.us', 'login.partner.microsoftonline.cn', 'sts.windows.net'].flatMap((host) =>
    ['common', 'organizations', 'consumers', '9188040d-6c67-4c5b-b112-36a304b66dad'].map((tenant) => `${host}/${tenant}`),
  ),
  'login.live.com',
  'appleid.apple.com',
  'gitlab.com',
  'github.com',
  // whoever has a repository gets tokens, of any audience
  'token.actions.githubusercontent.com',
  'login.salesforce.com',
  'api.login.yahoo.com',
  'www.linkedin.com',
  'www.facebook.com',
  'slack.com',
  'id.twitch.tv',
  'discord.com',
  'www.paypal.com',
  'access.line.me',
  'kauth.kakao.com',
  'oauth.telegram.org',
  'huggingface.co',
  'codeberg.org',
  'orcid.org',
  'cilogon.org',
];
/** Domains of addresses that anybody can have. */
const OPEN_DOMAINS = ['*', 'gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'yahoo.com', 'icloud.com', 'me.com', 'gmx.de', 'gmx.net', 'web.de', 'proton.me', 'protonmail.com'];
/** Flags of oauth2-proxy that say who may come in. */
const LIMITS = /^--(authenticated-emails-file|allowed-group|allowed-role|github-org|github-team|gitlab-group)=./;

/** To oauth2-proxy, ".com" is all domains that end so. */
function isOpen(domain: string): boolean {
  return OPEN_DOMAINS.some((one) => one === domain || (domain.startsWith('.') && one.endsWith(domain)));
}

/** Faults where everybody has an account at the provider, and nothing says who may log in. */
export function checkNotOpenToAll(checks: PropChecks, { issuerUrl, emailDomains = ['*'], allowedGroups = [], extraArgs = [] }: OidcOptions): void {
  const issuer = String(issuerUrl).toLowerCase().replace(/^https?:\/\//, '');
  const open = OPEN_ISSUERS.find((one) => issuer === one || issuer.startsWith(`${one}/`));
  const openDomain = emailDomains.find((domain) => isOpen(String(domain).toLowerCase()));
  if (open === undefined || openDomain === undefined || allowedGroups.length > 0 || extraArgs.some((arg) => LIMITS.test(String(arg)))) return;
  checks.fault({
    prop: openDomain === '*' ? 'issuerUrl' : 'emailDomains',
    value: openDomain === '*' ? issuerUrl : openDomain,
    rule: `anybody can have an account at ${open}${openDomain === '*' ? '' : ` with an address of ${openDomain}`}, so that a login there keeps nobody out (https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview)`,
    fix: 'name who may log in: emailDomains ["example.com"] or allowedGroups; with Entra, pass the issuer of your own tenant',
  });
}
