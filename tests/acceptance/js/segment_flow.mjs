// A segment of the profiles that an upload job made, with the AWS SDK for JavaScript: it is counted, asked for members
// and exported. Arguments: domain, id of the job, address of the folder to export to. Prints one line of JSON.
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateSegmentDefinitionCommand,
  CreateSegmentEstimateCommand,
  CreateSegmentSnapshotCommand,
  CustomerProfilesClient,
  GetSegmentDefinitionCommand,
  GetSegmentEstimateCommand,
  GetSegmentMembershipCommand,
  GetSegmentSnapshotCommand,
  SearchProfilesCommand,
  paginateListSegmentDefinitions,
} from "@aws-sdk/client-customer-profiles";

const [DomainName, jobId, folder] = process.argv.slice(2);
const client = new CustomerProfilesClient({});
const madeByJob = {
  ProfileAttributes: {
    Attributes: { "_openprofiles.made_by_upload_job": { DimensionType: "INCLUSIVE", Values: [jobId] } },
  },
};
const american = {
  ProfileAttributes: { Address: { Country: { DimensionType: "INCLUSIVE", Values: ["US"] } } },
};
const groups = { Groups: [{ Dimensions: [madeByJob, american], Type: "ALL" }], Include: "ALL" };

async function ended(command, isRunning) {
  let answer;
  do {
    await sleep(100);
    answer = await client.send(command);
  } while (answer.Status === isRunning);
  return answer;
}

const segment = { DomainName, SegmentDefinitionName: "americans-of-the-file" };
await client.send(
  new CreateSegmentDefinitionCommand({ ...segment, DisplayName: "Americans of the file", SegmentGroups: groups }),
);
const definition = await client.send(new GetSegmentDefinitionCommand(segment));
const { EstimateId } = await client.send(new CreateSegmentEstimateCommand({ DomainName, SegmentQuery: groups }));
const estimate = await ended(new GetSegmentEstimateCommand({ DomainName, EstimateId }), "RUNNING");

const ids = [];
for (const number of [0, 1]) {
  const found = await client.send(
    new SearchProfilesCommand({ DomainName, KeyName: "_email", Values: [`c${number}@example.com`] }),
  );
  ids.push(found.Items[0].ProfileId);
}
const membership = await client.send(new GetSegmentMembershipCommand({ ...segment, ProfileIds: ids }));
const { SnapshotId } = await client.send(
  new CreateSegmentSnapshotCommand({ ...segment, DataFormat: "CSV", DestinationUri: folder }),
);
const snapshot = await ended(new GetSegmentSnapshotCommand({ ...segment, SnapshotId }), "IN_PROGRESS");

const listed = [];
for await (const page of paginateListSegmentDefinitions({ client, pageSize: 1 }, { DomainName })) {
  listed.push(...page.Items.map((item) => item.SegmentDefinitionName));
}
console.log(
  JSON.stringify({
    isSame: JSON.stringify(definition.SegmentGroups.Groups[0].Dimensions) === JSON.stringify([madeByJob, american]),
    isDate: definition.CreatedAt instanceof Date,
    estimate: [estimate.Status, estimate.Estimate],
    members: membership.Profiles.map((one) => [ids.indexOf(one.ProfileId), one.QueryResult]),
    snapshot: [snapshot.Status, SnapshotId],
    isListed: listed.includes("americans-of-the-file"),
  }),
);
