// The documented flow of an upload job with the AWS SDK for JavaScript, which gets everything that it needs from the
// environment. Arguments: domain, CSV file, e-mail address to search for. Prints one line of JSON.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateUploadJobCommand,
  CustomerProfilesClient,
  GetUploadJobCommand,
  GetUploadJobPathCommand,
  SearchProfilesCommand,
  StartUploadJobCommand,
  paginateListUploadJobs,
} from "@aws-sdk/client-customer-profiles";

const [domain, csvPath, email] = process.argv.slice(2);
const client = new CustomerProfilesClient({});

const { JobId } = await client.send(
  new CreateUploadJobCommand({
    DomainName: domain,
    DisplayName: "customers.csv",
    Fields: {
      Email: { Source: "_source.Email", Target: "_profile.EmailAddress", ContentType: "EMAIL_ADDRESS" },
      First: { Source: "_source.First", Target: "_profile.FirstName" },
    },
    UniqueKey: "Email",
  }),
);
const job = { DomainName: domain, JobId };

const path = await client.send(new GetUploadJobPathCommand(job));
const key = Buffer.from(path.ClientToken, "base64");
const put = await fetch(path.Url, {
  method: "PUT",
  body: await readFile(csvPath),
  headers: {
    "x-amz-server-side-encryption-customer-algorithm": "AES256",
    "x-amz-server-side-encryption-customer-key": path.ClientToken,
    "x-amz-server-side-encryption-customer-key-MD5": createHash("md5").update(key).digest("base64"),
  },
});
if (!put.ok) throw new Error(await put.text());

await client.send(new StartUploadJobCommand(job));
let answer;
do {
  await sleep(100);
  answer = await client.send(new GetUploadJobCommand(job));
} while (answer.Status === "IN_PROGRESS");

let again = "";
try {
  await client.send(new StartUploadJobCommand(job));
} catch (error) {
  again = `${error.name} ${error.$metadata.httpStatusCode}`;
}
const listed = [];
for await (const page of paginateListUploadJobs({ client, pageSize: 1 }, { DomainName: domain })) {
  listed.push(...page.Items.map((item) => item.JobId));
}
const found = await client.send(
  new SearchProfilesCommand({ DomainName: domain, KeyName: "_email", Values: [email] }),
);
console.log(
  JSON.stringify({
    status: answer.Status,
    results: answer.ResultsSummary,
    took: answer.CompletedAt - answer.CreatedAt,
    names: found.Items.map((profile) => profile.FirstName),
    again,
    isListed: listed.includes(JobId),
  }),
);
