// One life of an account of acme-client: obtains, rolls its key over, obtains by another chain, revokes, goes.
// Prints what it saw as JSON; acme_client.rs judges that.
//
// node acme_client.mjs PACKAGE DIRECTORY PORT NAME CHAIN
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const [packageFile, directoryUrl, port, name, preferredChain] = process.argv.slice(2);
const acme = createRequire(packageFile)('acme-client');

// The web server of the name.
const tokens = new Map();
const server = createServer((request, response) => {
    response.end(tokens.get(request.url.replace('/.well-known/acme-challenge/', '')) ?? '');
});
await new Promise((listens) => { server.listen(Number(port), '127.0.0.1', listens); });

const client = (accountKey) => new acme.Client({ directoryUrl, accountKey, backoffMin: 100, backoffMax: 1000 });
const obtain = async (account, keyMaker, chain) => {
    const [key, csr] = await acme.crypto.createCsr({ altNames: [name, `www.${name}`] }, await keyMaker());
    const certificate = await account.auto({
        csr,
        termsOfServiceAgreed: true,
        preferredChain: chain,
        challengePriority: ['http-01'],
        // It would ask the machine's own resolver, which does not know the name.
        skipChallengeVerification: true,
        challengeCreateFn: async (authz, challenge, keyAuthorization) => {
            tokens.set(challenge.token, keyAuthorization);
        },
        challengeRemoveFn: async (authz, challenge) => { tokens.delete(challenge.token); },
    });
    return { certificate: certificate.toString(), key: key.toString() };
};
// What the authority says no with.
const refusal = (promise) => promise.then(() => null, (error) => error.message);

const oldKey = await acme.crypto.createPrivateEcdsaKey();
const newKey = await acme.crypto.createPrivateRsaKey();
const account = client(oldKey);
await account.createAccount({ termsOfServiceAgreed: true, contact: ['mailto:old@peers.test'] });
const seen = { account: account.getAccountUrl() };
seen.first = await obtain(account, () => acme.crypto.createPrivateEcdsaKey('P-384'), null);

await account.updateAccountKey(newKey);
seen.rolledOver = account.getAccountUrl();
seen.oldKey = await refusal(client(oldKey).createAccount({ onlyReturnExisting: true }));
const again = client(newKey);
await again.createAccount({ onlyReturnExisting: true });
seen.foundAgain = again.getAccountUrl();
seen.contact = (await again.updateAccount({ contact: ['mailto:new@peers.test'] })).contact;
seen.second = await obtain(again, () => acme.crypto.createPrivateRsaKey(), preferredChain);

seen.revoked = await refusal(again.revokeCertificate(seen.second.certificate, { reason: 4 }));
seen.revokedAgain = await refusal(again.revokeCertificate(seen.second.certificate, { reason: 4 }));

seen.status = (await again.updateAccount({ status: 'deactivated' })).status;
seen.afterwards = await refusal(again.createOrder({ identifiers: [{ type: 'dns', value: name }] }));
server.close();
console.log(JSON.stringify(seen));
