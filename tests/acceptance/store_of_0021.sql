BEGIN TRANSACTION;
CREATE TABLE added_key (
	pid BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (pid, name, value)
)
 WITHOUT ROWID

;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0021');
CREATE TABLE credential (
	access_key_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	secret BLOB NOT NULL, 
	actions JSON NOT NULL, 
	domains JSON NOT NULL, 
	requests_per_second FLOAT, 
	created_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	PRIMARY KEY (access_key_id)
);
CREATE TABLE definition (
	definition_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	domain_id BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	summary JSON NOT NULL, 
	tags JSON NOT NULL, 
	version INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	FOREIGN KEY(domain_id) REFERENCES domain (domain_id)
);
CREATE TABLE definition_body (
	domain_id BIGINT NOT NULL, 
	definition_id BIGINT NOT NULL, 
	version INTEGER NOT NULL, 
	body JSON NOT NULL, 
	PRIMARY KEY (domain_id, definition_id, version)
)
 WITHOUT ROWID

;
CREATE TABLE domain (
	domain_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	config JSON NOT NULL, 
	tags JSON NOT NULL, 
	default_expiration_days INTEGER NOT NULL, 
	phone_region TEXT NOT NULL, 
	profile_count BIGINT DEFAULT 0 NOT NULL, 
	key_version BIGINT DEFAULT 0 NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	deleted_at BIGINT
);
INSERT INTO "domain" VALUES(1,'demo','{}','{}',1098,'US',4,0,1796053433543,1796053433543,NULL);
CREATE TABLE failed_row (
	upload_job_id BIGINT NOT NULL, 
	record BIGINT NOT NULL, 
	fault INTEGER DEFAULT 0 NOT NULL, 
	line BIGINT NOT NULL, 
	code TEXT NOT NULL, 
	column_name TEXT, 
	detail BIGINT, 
	content BLOB, 
	PRIMARY KEY (upload_job_id, record, fault)
)
 WITHOUT ROWID

;
CREATE TABLE feed (
	subject BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	domain_id BIGINT NOT NULL, 
	target TEXT, 
	number BIGINT DEFAULT 0 NOT NULL, 
	epoch BIGINT DEFAULT 0 NOT NULL, 
	attempts INTEGER DEFAULT 0 NOT NULL, 
	lease_owner TEXT, 
	next_attempt_at BIGINT, 
	last_error TEXT, 
	moved_at BIGINT, 
	given_up_at BIGINT, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (subject, name)
);
CREATE TABLE indexed_field (
	domain_id BIGINT NOT NULL, 
	path TEXT NOT NULL, 
	is_built BOOLEAN NOT NULL, 
	PRIMARY KEY (domain_id, path), 
	FOREIGN KEY(domain_id) REFERENCES domain (domain_id)
);
CREATE TABLE job (
	job_number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id TEXT NOT NULL, 
	domain_id BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	subject BIGINT, 
	status TEXT NOT NULL, 
	status_reason TEXT, 
	failure_message TEXT, 
	created_at BIGINT NOT NULL, 
	not_before BIGINT, 
	started_at BIGINT, 
	completed_at BIGINT, 
	stop_requested_at BIGINT, 
	phase TEXT, 
	position BIGINT DEFAULT 0 NOT NULL, 
	done BIGINT, 
	total BIGINT, 
	step_started_at BIGINT, 
	step_milliseconds JSON, 
	lease_owner TEXT, 
	lease_until BIGINT, 
	epoch BIGINT DEFAULT 0 NOT NULL, 
	failed_attempts INTEGER DEFAULT 0 NOT NULL, 
	create_token TEXT, 
	create_digest TEXT, 
	start_token TEXT, 
	UNIQUE (job_id), 
	FOREIGN KEY(domain_id) REFERENCES domain (domain_id)
);
INSERT INTO "job" VALUES(1,'01a22d207e4e70c3bc12c02307fd6210',1,'upload',NULL,'SUCCEEDED',NULL,NULL,1796053433934,NULL,1796053434026,1796053434662,NULL,'index',3,NULL,NULL,1796053434650,'{"stage": 145, "plan": 58, "report": 32, "create": 14, "update": 6, "follow": 1, "index": 32}',NULL,NULL,1,0,NULL,NULL,NULL);
INSERT INTO "job" VALUES(2,'01a22d208c0c7190be8996671535092a',1,'upload',NULL,'SUCCEEDED',NULL,NULL,1796053437452,NULL,1796053437543,1796053438061,NULL,'index',1,NULL,NULL,1796053438048,'{"stage": 105, "plan": 75, "report": 57, "create": 21, "update": 28, "follow": 10, "index": 25}',NULL,NULL,1,0,NULL,NULL,NULL);
CREATE TABLE ordered_record (
	upload_job_id BIGINT NOT NULL, 
	record BIGINT NOT NULL, 
	PRIMARY KEY (upload_job_id, record)
)
 WITHOUT ROWID

;
CREATE TABLE pending_keys (
	pending_keys_id INTEGER NOT NULL, 
	upload_job_id BIGINT NOT NULL, 
	changes BLOB NOT NULL, 
	PRIMARY KEY (pending_keys_id)
);
CREATE TABLE preview_sample (
	upload_job_id BIGINT NOT NULL, 
	number BIGINT NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (upload_job_id, number)
)
 WITHOUT ROWID

;
CREATE TABLE profile (
	pid INTEGER NOT NULL, 
	domain_id BIGINT NOT NULL, 
	profile_id TEXT NOT NULL, 
	account_number TEXT, 
	additional_information TEXT, 
	party_type_string TEXT, 
	business_name TEXT, 
	first_name TEXT, 
	middle_name TEXT, 
	last_name TEXT, 
	birth_date TEXT, 
	gender_string TEXT, 
	phone_number TEXT, 
	mobile_phone_number TEXT, 
	home_phone_number TEXT, 
	business_phone_number TEXT, 
	email_address TEXT, 
	personal_email_address TEXT, 
	business_email_address TEXT, 
	profile_type TEXT, 
	address_address1 TEXT, 
	address_address2 TEXT, 
	address_address3 TEXT, 
	address_address4 TEXT, 
	address_city TEXT, 
	address_county TEXT, 
	address_state TEXT, 
	address_province TEXT, 
	address_country TEXT, 
	address_postal_code TEXT, 
	shipping_address_address1 TEXT, 
	shipping_address_address2 TEXT, 
	shipping_address_address3 TEXT, 
	shipping_address_address4 TEXT, 
	shipping_address_city TEXT, 
	shipping_address_county TEXT, 
	shipping_address_state TEXT, 
	shipping_address_province TEXT, 
	shipping_address_country TEXT, 
	shipping_address_postal_code TEXT, 
	mailing_address_address1 TEXT, 
	mailing_address_address2 TEXT, 
	mailing_address_address3 TEXT, 
	mailing_address_address4 TEXT, 
	mailing_address_city TEXT, 
	mailing_address_county TEXT, 
	mailing_address_state TEXT, 
	mailing_address_province TEXT, 
	mailing_address_country TEXT, 
	mailing_address_postal_code TEXT, 
	billing_address_address1 TEXT, 
	billing_address_address2 TEXT, 
	billing_address_address3 TEXT, 
	billing_address_address4 TEXT, 
	billing_address_city TEXT, 
	billing_address_county TEXT, 
	billing_address_state TEXT, 
	billing_address_province TEXT, 
	billing_address_country TEXT, 
	billing_address_postal_code TEXT, 
	attributes JSON, 
	engagement_preferences JSON, 
	origins JSON, 
	revision BIGINT DEFAULT 1 NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	last_upload_job BIGINT, 
	PRIMARY KEY (pid)
);
INSERT INTO "profile" VALUES(1,1,'01a22d2080f37a629d1b000000000001',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'ann@x.example',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'Rome',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"First":"Ann","Tier":"gold"}',NULL,NULL,1,1796053434612,1796053434612,1890920634026,1);
INSERT INTO "profile" VALUES(2,1,'01a22d2080f37cb9bda9000000000002',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'bob@x.example',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'Rome',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"First":"Robert","Tier":"gold"}',NULL,NULL,2,1796053434612,1796053438012,1890920637543,2);
INSERT INTO "profile" VALUES(3,1,'01a22d2080f3702e9b57000000000003',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'cleo@x.example',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'Oslo',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"First":"Cleo","Tier":"silver"}',NULL,NULL,2,1796053434612,1796053438012,1890920637543,2);
INSERT INTO "profile" VALUES(6,1,'01a22d208e17745e9ee0000000000006',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'dan@x.example',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'Oslo',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{"First":"Dan"}',NULL,NULL,1,1796053437976,1796053437976,1890920637543,2);
CREATE TABLE profile_key (
	domain_id BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	PRIMARY KEY (domain_id, name, value, pid)
)
 WITHOUT ROWID

;
INSERT INTO "profile_key" VALUES(1,'_email','ann@x.example',1);
INSERT INTO "profile_key" VALUES(1,'_email','bob@x.example',2);
INSERT INTO "profile_key" VALUES(1,'_email','cleo@x.example',3);
INSERT INTO "profile_key" VALUES(1,'_email','dan@x.example',6);
CREATE TABLE repeated_row (
	upload_job_id BIGINT NOT NULL, 
	record BIGINT NOT NULL, 
	line BIGINT NOT NULL, 
	first_record BIGINT NOT NULL, 
	first_line BIGINT NOT NULL, 
	PRIMARY KEY (upload_job_id, record)
)
 WITHOUT ROWID

;
CREATE TABLE row_sequence (
	name TEXT NOT NULL, 
	next_value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "row_sequence" VALUES('profile',7);
CREATE TABLE schedule (
	domain_id BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	every_seconds BIGINT NOT NULL, 
	next_at BIGINT NOT NULL, 
	PRIMARY KEY (domain_id, kind), 
	FOREIGN KEY(domain_id) REFERENCES domain (domain_id)
)
 WITHOUT ROWID

;
CREATE TABLE undo_absent_key (
	upload_job_id BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	PRIMARY KEY (upload_job_id, name, value, pid)
)
 WITHOUT ROWID

;
CREATE TABLE undo_image (
	undo_image_id INTEGER NOT NULL, 
	upload_job_id BIGINT NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (undo_image_id)
);
INSERT INTO "undo_image" VALUES(1,2,X'FFFFFFFF280200001000000000000A000C000600050008000A000000000104000C0000000800080000000400080000000400000009000000C0010000780100004801000014010000E8000000B000000078000000400000000400000074FEFFFF00000102100000002000000004000000000000000F0000006C6173745F75706C6F61645F6A6F620070FEFFFF0000000140000000ACFEFFFF00000102100000001C00000004000000000000000A000000657870697265735F61740000A4FEFFFF0000000140000000E0FEFFFF00000102100000001C00000004000000000000000A000000757064617465645F61740000D8FEFFFF000000014000000014FFFFFF00000102100000001C0000000400000000000000080000007265766973696F6E000000000CFFFFFF000000014000000048FFFFFF0000010510000000180000000400000000000000070000006F726967696E730074FFFFFF70FFFFFF00000105100000002000000004000000000000000C000000616464726573735F6369747900000000A4FFFFFFA0FFFFFF00000105100000001C00000004000000000000000A000000617474726962757465730000D0FFFFFFCCFFFFFF00000105100000002400000004000000000000000D000000656D61696C5F616464726573730000000400040004000000100014000800060007000C00000010001000000000000102100000001C0000000400000000000000030000007069640008000C000800070008000000000000014000000000000000FFFFFFFF5802000014000000000000000C0018000600050008000C000C000000000304001C0000005802000000000000000000000C001C001000040008000C000C000000880100001C0000001400000002000000000000000000000004000400040000001600000000000000000000000000000000000000000000000000000025000000000000002800000000000000000000000000000028000000000000002300000000000000500000000000000032000000000000008800000000000000000000000000000088000000000000002300000000000000B0000000000000004200000000000000F80000000000000018000000000000001001000000000000230000000000000038010000000000001C00000000000000580100000000000018000000000000007001000000000000230000000000000098010000000000001900000000000000B8010000000000000000000000000000B8010000000000002500000000000000E0010000000000000000000000000000E0010000000000002700000000000000080200000000000000000000000000000802000000000000270000000000000030020000000000000000000000000000300200000000000025000000000000000000000009000000020000000000000000000000000000000200000000000000000000000000000002000000000000000000000000000000020000000000000001000000000000000200000000000000020000000000000002000000000000000000000000000000020000000000000000000000000000000200000000000000000000000000000002000000000000000000000000000000100000000000000004224D186040820E0000002202000100800300000000000000000000000000000C0000000000000004224D186040820C000080000000000D0000001B0000000000000000000000001B0000000000000004224D186040821B000080626F6240782E6578616D706C65636C656F40782E6578616D706C65000000000000000000000C0000000000000004224D186040820C000080000000000F0000002F0000000000000000000000002F0000000000000004224D186040822B000000F6007B224669727374223A22426F62227D0F00F007436C656F222C2254696572223A2273696C766572227D00000000000000000000010000000000000004224D186040820100008001000000000C0000000000000004224D186040820C000080000000000400000005000000000000000000000000050000000000000004224D1860408205000080526F6D65000000000000000000010000000000000004224D186040820100008000000000000C0000000000000004224D186040820C000080000000000100000002000000000000000000000000020000000000000004224D186040820200008000000000000000000000000000100000000000000004224D186040820E000000220100010080010000000000000000000000000000100000000000000004224D1860408210000080F480202DA2010000F480202DA20100000000000000100000000000000004224D1860408210000080AA16A743B8010000AA16A743B80100000000000000100000000000000004224D186040820E000000220100010080010000000000000000000000000000FFFFFFFF00000000');
CREATE TABLE undo_job (
	job_number INTEGER NOT NULL, 
	removed_count BIGINT DEFAULT 0 NOT NULL, 
	restored_count BIGINT DEFAULT 0 NOT NULL, 
	kept_count BIGINT DEFAULT 0 NOT NULL, 
	gone_count BIGINT DEFAULT 0 NOT NULL, 
	PRIMARY KEY (job_number), 
	FOREIGN KEY(job_number) REFERENCES job (job_number) ON DELETE CASCADE
);
CREATE TABLE undo_kept_profile (
	upload_job_id BIGINT NOT NULL, 
	pid BIGINT NOT NULL, 
	profile_id TEXT NOT NULL, 
	was_created BOOLEAN NOT NULL, 
	PRIMARY KEY (upload_job_id, pid)
)
 WITHOUT ROWID

;
CREATE TABLE upload_job (
	job_number INTEGER NOT NULL, 
	display_name TEXT NOT NULL, 
	fields JSON NOT NULL, 
	unique_key TEXT NOT NULL, 
	data_expiry_days INTEGER NOT NULL, 
	client_token BLOB, 
	file_name TEXT, 
	file_size_bytes BIGINT, 
	file_received_at BIGINT, 
	file_form JSON, 
	file_header JSON, 
	record_count BIGINT, 
	created_count BIGINT DEFAULT 0 NOT NULL, 
	updated_count BIGINT DEFAULT 0 NOT NULL, 
	unchanged_count BIGINT DEFAULT 0 NOT NULL, 
	failed_count BIGINT DEFAULT 0 NOT NULL, 
	pid_base BIGINT, 
	failed_rows_key BLOB, 
	fault_counts JSON, 
	repeated_count BIGINT, 
	notices JSON, 
	options JSON, 
	undo_days INTEGER, 
	PRIMARY KEY (job_number), 
	FOREIGN KEY(job_number) REFERENCES job (job_number) ON DELETE CASCADE
);
INSERT INTO "upload_job" VALUES(1,'o1.csv','{"Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"}, "First": {"Source": "_source.First", "Target": "_profile.Attributes.First", "ContentType": "STRING"}, "City": {"Source": "_source.City", "Target": "_profile.Address.City", "ContentType": "STRING"}, "Tier": {"Source": "_source.Tier", "Target": "_profile.Attributes.Tier", "ContentType": "STRING"}}','Email',1098,NULL,'01a22d207e4e70c3bc12c02307fd6210.1e8306ef250ad2ae',102,1796053434009,'{"compression": "none", "encoding": "utf-8", "has_byte_order_mark": false, "delimiter": ",", "quote": "\"", "line_ends": "LF", "joins_lines": false, "header_line": null, "column_count": 0, "skips_blanks": false, "skips_blank_rows": true, "first_row": null, "given": []}','["Email", "First", "City", "Tier"]',3,3,0,0,0,0,X'01A004CBC4DDFCF9F34A2E169B3CC4DDDE927F0F29A9868ADCCFB050EF3BF81DE36EF091FE56CCBC1501C9411ABD8BE698D310D61B5020273C539AE8BB',NULL,0,'[]','{"file": {"encoding": null, "delimiter": null, "quote": null, "line_ends": null, "header_line": null, "first_row": null}, "write_mode": "CREATE_AND_UPDATE", "blank_cells": "KEEP", "short_rows": "JUDGE", "hand_set_fields": "KEEP", "doubtful_rows": "REFUSE", "max_failed_records": null, "max_failed_percent": null, "checks": {"Email": {"kind": "EMAIL_ADDRESS", "values": [], "pattern": null}}, "webhook_url": null}',7);
INSERT INTO "upload_job" VALUES(2,'o2.csv','{"Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"}, "First": {"Source": "_source.First", "Target": "_profile.Attributes.First", "ContentType": "STRING"}, "City": {"Source": "_source.City", "Target": "_profile.Address.City", "ContentType": "STRING"}, "Tier": {"Source": "_source.Tier", "Target": "_profile.Attributes.Tier", "ContentType": "STRING"}}','Email',1098,NULL,'01a22d208c0c7190be8996671535092a.b107142786edce32',99,1796053437517,'{"compression": "none", "encoding": "utf-8", "has_byte_order_mark": false, "delimiter": ",", "quote": "\"", "line_ends": "LF", "joins_lines": false, "header_line": null, "column_count": 0, "skips_blanks": false, "skips_blank_rows": true, "first_row": null, "given": []}','["Email", "First", "City", "Tier"]',3,1,2,0,0,3,X'010DB4FC359B587C8EAD5D413287E8BEF97EF4F2ACC45434800F4D5EFA31A24DE4AD6EB298242FDA25E7E3DDA798AFF2E4E4FBA10CBB3951F19979BAB8',NULL,0,'[]','{"file": {"encoding": null, "delimiter": null, "quote": null, "line_ends": null, "header_line": null, "first_row": null}, "write_mode": "CREATE_AND_UPDATE", "blank_cells": "KEEP", "short_rows": "JUDGE", "hand_set_fields": "KEEP", "doubtful_rows": "REFUSE", "max_failed_records": null, "max_failed_percent": null, "checks": {"Email": {"kind": "EMAIL_ADDRESS", "values": [], "pattern": null}}, "webhook_url": null}',7);
CREATE TABLE webhook (
	domain_id BIGINT NOT NULL, 
	url TEXT, 
	secret BLOB NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (domain_id), 
	FOREIGN KEY(domain_id) REFERENCES domain (domain_id)
);
CREATE UNIQUE INDEX domain_name ON domain (name) WHERE deleted_at IS NULL;
CREATE INDEX profile_expiry ON profile (domain_id, expires_at);
CREATE INDEX pending_keys_job ON pending_keys (upload_job_id, pending_keys_id);
CREATE INDEX undo_image_job ON undo_image (upload_job_id, undo_image_id);
CREATE INDEX feed_due ON feed (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE UNIQUE INDEX job_create_token ON job (domain_id, create_token) WHERE create_token IS NOT NULL;
CREATE UNIQUE INDEX job_undo ON job (subject) WHERE kind = 'undo';
CREATE INDEX job_list ON job (domain_id, created_at, job_number);
CREATE INDEX job_status ON job (status);
CREATE UNIQUE INDEX definition_name ON definition (domain_id, kind, name) WHERE deleted_at IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('domain',1);
INSERT INTO "sqlite_sequence" VALUES('job',2);
COMMIT;
