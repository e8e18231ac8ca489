// A service in another language: it gives customers a twentieth of what they have bought as credit.
// It takes part by Kafka and Consul alone: it reads the topic shop, and sends commands to credit.commands.
const http = require("node:http");
const [library, broker, prefix, consul] = process.argv.slice(2);
const { Kafka, logLevel, Partitioners } = require(library);

const given = {};
const document = {
  openapi: "3.1.0",
  info: { title: "gifts", version: "1" },
  tags: [{ name: "gifts" }],
  paths: {
    "/gifts": {
      get: {
        tags: ["gifts"],
        operationId: "gifts",
        summary: "The gifts by customer",
        responses: { 200: { description: "amounts in minor units" } },
      },
    },
  },
};

function serve() {
  const server = http.createServer((request, response) => {
    const body = request.url === "/openapi.json" ? document : given;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(body));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

async function register(port) {
  const service = { Name: "gifts", Tags: ["gifts"], Address: "127.0.0.1", Port: port, Meta: { openapi: "/openapi.json" } };
  const answer = await fetch(`http://${consul}/v1/agent/service/register`, { method: "PUT", body: JSON.stringify(service) });
  if (!answer.ok) throw new Error(`Consul: ${answer.status}`);
}

// The same event leads to a command of the same id: if it is read again, the command is a repetition.
function command(event) {
  const { terms, total } = event.data;
  const amount = { amount: Math.floor(total.amount / 20), currency: total.currency };
  const message = {
    specversion: "1.0",
    id: `gift-${event.id}`,
    source: "gifts",
    type: "shop.grant-credit.v1",
    subject: terms.customer,
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    actor: "gifts",
    data: { amount, why: `for ${event.subject}` },
  };
  return { key: terms.customer, value: JSON.stringify(message) };
}

async function main() {
  const kafka = new Kafka({ clientId: "gifts", brokers: [broker], logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true });
  const consumer = kafka.consumer({ groupId: `${prefix}gifts-${process.pid}` });
  await Promise.all([producer.connect(), consumer.connect()]);
  await register(await serve());
  await consumer.subscribe({ topic: `${prefix}shop`, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const event = JSON.parse(message.value.toString());
      if (event.type !== "shop.order-finalized.v1") return;
      const gift = command(event);
      await producer.send({ topic: `${prefix}credit.commands`, acks: -1, messages: [gift] });
      const { customer } = event.data.terms;
      given[customer] = (given[customer] ?? 0) + JSON.parse(gift.value).data.amount.amount;
    },
  });
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
