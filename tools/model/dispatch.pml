/* The dispatch protocol between the supervisor and its workers, for SPIN.

       backlog ──send──► request ring ──► worker ──► result ring ──collect──► settled
          ▲                   │revoke                    │
          └───────────────────┴──── unstarted ── death ──┴── started, unfinished: charged

   The engine's protocol step by step, its data and its clock left out: a step runs as long as it
   likes, a deadline may pass at any moment in which a step runs. One statement here is one system
   call, one store to shared memory, or work that only its own process sees. Names are the
   engine's. `check.py` runs it, and every variant that must fail; each is a macro:

       PUBLISH_BEFORE_STORE  NO_FINAL_DRAIN  FATE_BEFORE_DEATH  NO_GATE  TIMEOUT_FOR_ANY
       NO_WAKE_ON_CREDIT  FINISHED_WHEN_STAGED (with POISON)  SILENCE_IGNORED (with STALL_ANYWHERE)

   Properties: the assertions below; no invalid end state; `resolved`, under weak fairness. */

#ifndef EVENTS
#define EVENTS 3 /* at most 3 */
#endif
#ifndef WORKERS
#define WORKERS 2 /* 1 or 2 */
#endif
#ifndef FAULTS
#define FAULTS 2 /* crashes, stalls and deadlines of steps that were not stuck, together */
#endif
#ifndef REQUESTS
#define REQUESTS 1 /* records that a request ring holds */
#endif
#ifndef RESULTS
#define RESULTS 1
#endif
#define DEPTH 3 /* events that a worker may be sent */
#ifdef SILENCE_IGNORED
#define SILENCE_WATCHED 0
#else
#define SILENCE_WATCHED 1
#endif

/* -- what the two sides share, one of each for a worker's incarnation -------------------------- */

typedef Wire {
  byte request[REQUESTS]; /* the rings' memory: event ids, 0 where nothing was stored */
  byte result[RESULTS];
  byte asked;             /* eventfd: requests published and unread */
  byte answered;          /* eventfd: results published and unread */
  byte request_room;      /* credit: what the writer holds and what its reader gave back */
  byte result_room;
  byte started;           /* the status page: numbers of events, counted as dispatched */
  byte finished;
  byte revoked;
  bit gate;               /* eventfd: 1 while nobody has it */
}
Wire wire[2];

/* -- what the kernel knows --------------------------------------------------------------------- */

#define GONE 0 /* buried, or not born yet */
#define UP 1
#define DEAD 2 /* its pidfd is readable */
byte life[2];
bit fatal[2];   /* a signal is on its way that no process survives */
bit stalled[2]; /* it will not run another instruction, and lives */
byte faults;

/* -- what the supervisor knows ----------------------------------------------------------------- */

#define UNCLAIMED 0
#define BACKLOG 1
#define SENT 2
#define SETTLED 3
byte place[4]; /* of an event: 1, 2, …; 0 is no event */
byte at[4];    /* where SENT: the worker, and the event's number there */
byte number[4];
byte claimed;
byte backlog;
byte settled;
byte sent[2];           /* events that a worker has */
byte dispatched[2];     /* the number of the latest of its events */
byte read_at[2];
bit stuck[2];
byte condemned[2];      /* the event over which it is to be killed */
bit due[2];             /* … and the moment for it has not come yet */

/* -- the truth, for assertions only ------------------------------------------------------------ */

byte running[2];   /* the latest event that a worker has started, until its result is published */
bit inside[2];     /* in its handler, and without the gate */

#ifndef SAFETY_ONLY
ltl resolved { <> (settled == EVENTS) } /* every event, in the end */
#endif

/* == a worker =====================================================================================
   Its whole code may be left before any statement, by death or by a stall. What it has not
   published then is lost. */

inline drain_requests() {
  d_step {
    wire[w].asked > 0 ->
    size = 0;
    do
    :: wire[w].asked > 0 ->
      batch[size] = wire[w].request[read % REQUESTS];
      assert(batch[size] != 0); /* what was announced had been stored */
      wire[w].request[read % REQUESTS] = 0;
      read++;
      size++;
      wire[w].asked--;
      wire[w].request_room++;
    :: else -> break
    od
  }
}

inline store_results() {
  d_step {
    i = 0;
    do
    :: i < count ->
      wire[w].result[(written + i) % RESULTS] = staged[i];
      i++;
    :: else -> break
    od;
    i = 0;
  }
}

inline announce() {
  wire[w].answered = wire[w].answered + count;
  running[w] = (staged[count - 1] == running[w] -> 0 : running[w]);
}

inline forget_staged() {
  written = (written + count) % RESULTS;
  count = 0;
  staged[0] = 0;
}

/* Store, publish, and only then say that it is finished: a step that leaves its worker unable to
   publish has brought it down. */
inline publish_results() {
  if
  :: count == 0
  :: count > 0 ->
#ifdef PUBLISH_BEFORE_STORE
    d_step { announce() };
    store_results();
    d_step { forget_staged() };
#else
    store_results();
    d_step { announce(); forget_staged() };
#endif
#ifndef FINISHED_WHEN_STAGED
    d_step { wire[w].finished = ended; ended = 0; }
#endif
  fi
}

/* The moment in which an event starts. Only here does the supervisor's book have to agree. */
inline mark_started() {
  d_step {
    wire[w].started = mine;
    assert(place[event] == SENT && at[event] == w && number[event] == mine);
    assert(running[1 - w] != event);
    running[w] = event;
  }
}

inline take_gate() {
#ifdef NO_GATE
  skip
#else
  d_step { wire[w].gate == 1 -> wire[w].gate = 0; }
#endif
}

inline give_gate() {
  d_step {
#ifndef NO_GATE
    wire[w].gate = 1;
#endif
    event = 0;
  }
}

/* It runs for as long as it likes. */
inline enter_handler() {
  d_step {
#ifndef NO_GATE
    wire[w].gate = 1;
#endif
    inside[w] = 1;
  }
}

inline stage_result() {
  d_step {
    wire[w].result_room > 0 ->
    staged[count] = event;
    count++;
    wire[w].result_room--;
    inside[w] = 0;
  }
}

inline end_event() {
  d_step {
#ifdef FINISHED_WHEN_STAGED
    wire[w].finished = mine;
#else
    ended = mine;
#endif
#ifdef POISON
    fatal[w] = fatal[w] || event == 1; /* it takes down every worker that it has run on */
#endif
    event = 0;
  }
}

inline perform() {
  d_step { event = batch[next]; next++; mine++; }
  if /* earlier results do not wait for a step that is known to be slow */
  :: publish_results()
  :: count > 0
  fi;
  take_gate();
  if
  :: mine > wire[w].revoked ->
    mark_started();
    enter_handler();
    if
    :: stage_result()
    :: wire[w].result_room == 0 -> publish_results(); stage_result()
    fi;
    end_event()
  :: else -> give_gate()
  fi
}

proctype Worker(byte w) {
  byte batch[REQUESTS], staged[RESULTS];
  byte size, next, mine, ended, event, count, read, written, i;
end_boot:
  {
end_idle:
    do
    :: drain_requests();
      do
      :: next < size -> perform()
      :: else -> d_step { size = 0; next = 0; batch[0] = 0; }; break
      od;
      publish_results()
    od
  } unless { fatal[w] || stalled[w] };
end_stalled:
  d_step {
    fatal[w] ->
    size = 0; next = 0; mine = 0; ended = 0; event = 0; count = 0; read = 0; written = 0; i = 0;
    batch[0] = 0; batch[REQUESTS - 1] = 0; staged[0] = 0; staged[RESULTS - 1] = 0;
    inside[w] = 0; stalled[w] = 0;
    fatal[w] = 0;
    life[w] = DEAD;
  }
end_dead:
  life[w] == UP -> goto end_boot
}

/* == misfortune ================================================================================ */

#ifdef STALL_ANYWHERE
#define may_stall(w) (life[w] == UP && !fatal[w] && !stalled[w])
#else
#define may_stall(w) (inside[w] && !fatal[w] && !stalled[w])
#endif

active proctype Misfortune() {
end:
  do
  :: d_step { faults < FAULTS && life[0] == UP && !fatal[0] -> faults++; fatal[0] = 1; }
  :: d_step { faults < FAULTS && life[1] == UP && !fatal[1] -> faults++; fatal[1] = 1; }
  :: d_step { faults < FAULTS && may_stall(0) -> faults++; stalled[0] = 1; }
  :: d_step { faults < FAULTS && may_stall(1) -> faults++; stalled[1] = 1; }
  :: faults < FAULTS -> faults++ /* one that never comes: nothing has to go wrong */
  od
}

/* == the supervisor ================================================================================
   One thread: what it does for one event ends before it looks at the next, but the workers go on
   meanwhile. */

#define has_room(v) (life[v] != GONE && !stuck[v] && sent[v] < DEPTH)

inline stage(v) {
  before = dispatched[v];
  e = 1;
  left = share;
  if
  :: left > DEPTH - sent[v] -> left = DEPTH - sent[v]
  :: else
  fi;
  do
  :: e <= EVENTS && left > 0 && wire[v].request_room > 0 ->
    if
    :: place[e] == BACKLOG ->
      dispatched[v]++;
      place[e] = SENT; at[e] = v; number[e] = dispatched[v];
      wire[v].request_room--;
      sent[v]++; backlog--; left--;
    :: else
    fi;
    e++
  :: else -> break
  od;
  left = 0;
  e = 0;
}

inline store(v) {
  e = 1;
  do
  :: e <= EVENTS ->
    if
    :: place[e] == SENT && at[e] == v && number[e] > before ->
      wire[v].request[(number[e] - 1) % REQUESTS] = e
    :: else
    fi;
    e++
  :: else -> break
  od;
  e = 0;
}

inline send(v) {
#ifdef PUBLISH_BEFORE_STORE
  atomic { stage(v); wire[v].asked = wire[v].asked + dispatched[v] - before; };
  atomic { store(v); before = 0; }
#else
  atomic {
    stage(v);
    store(v);
    wire[v].asked = wire[v].asked + dispatched[v] - before;
    before = 0;
  }
#endif
}

/* What the supervisor does in one go takes effect for a worker with the publication in it, so the
   rest need not be interleaved; the variant that publishes first is another matter. */
#ifdef PUBLISH_BEFORE_STORE
#define STEP
#else
#define STEP atomic
#endif

/* One more, or all that are left: steps come when they like. */
inline claim() {
  if
  :: share = claimed + 1
  :: claimed + 1 < EVENTS -> share = EVENTS
  fi;
  d_step {
    do
    :: claimed < share -> claimed++; place[claimed] = BACKLOG; backlog++
    :: else -> break
    od;
    share = 0;
  }
}

/* Half each where both have room, the emptier one first; each gets what its ring takes. */
inline dispatch() {
  if
  :: backlog > 0 && (has_room(0) || has_room(1)) ->
    d_step {
      u = !(has_room(0) && (!has_room(1) || sent[0] < sent[1]));
      share = ((has_room(0) && has_room(1)) -> (backlog + 1) / 2 : backlog);
    };
    send(u);
    d_step {
      u = 1 - u;
      share = (has_room(u) -> backlog : 0);
    };
    send(u);
    d_step { u = 0; share = 0; }
  :: else
  fi
}

inline settle(x) {
  assert(place[x] == SENT); /* at most one result or fate */
  place[x] = SETTLED; at[x] = 0; number[x] = 0;
  settled++;
}

inline requeue(x) {
  assert(place[x] == SENT);
  place[x] = BACKLOG; at[x] = 0; number[x] = 0;
  backlog++;
}

inline drain_results(v) {
  do
  :: wire[v].answered > 0 ->
    e = wire[v].result[read_at[v]];
    assert(e != 0); /* what was announced had been stored */
    wire[v].result[read_at[v]] = 0;
    read_at[v] = (read_at[v] + 1) % RESULTS;
    wire[v].answered--;
    wire[v].result_room++;
    stuck[v] = 0;
    assert(at[e] == v); /* from the worker that had it, and nobody else */
    settle(e);
    sent[v]--;
  :: else -> break
  od;
  e = 0;
}

#define is_started(v, x) (place[x] == SENT && at[x] == v && number[x] == wire[v].started)

/* The event that runs, as the page says; 0 where none does. */
inline look(v) {
  e = 1;
  do
  :: e <= EVENTS && !is_started(v, e) -> e++
  :: else -> break
  od;
  if
  :: e > EVENTS || wire[v].started == wire[v].finished -> e = 0
  :: else
  fi
}

#define runs(v) \
  (wire[v].started != wire[v].finished && \
   (is_started(v, 1) || is_started(v, 2) || is_started(v, 3)))

#define unstarted(v) (wire[v].started < dispatched[v] && wire[v].revoked < dispatched[v])

inline take_back(v) {
  d_step {
    wire[v].revoked = dispatched[v];
    wire[v].gate = 1;
    e = 1;
    do
    :: e <= EVENTS ->
      if
      :: place[e] == SENT && at[e] == v && number[e] > before -> requeue(e); sent[v]--;
      :: else
      fi;
      e++
    :: else -> break
    od;
    e = 0;
    before = 0;
  }
}

#ifdef NO_GATE
#define gate_free(v) 1
#else
#define gate_free(v) (wire[v].gate == 1)
#endif

/* Take back what a worker has not started while it is over something slow: look … */
inline begin_revoking(x) {
  d_step {
    stuck[x] && sent[x] > 1 && unstarted(x) && gate_free(x) ->
#ifdef NO_GATE
    before = wire[x].started;
#else
    wire[x].gate = 0;
#endif
    v = x;
  }
}

/* … and take. */
inline end_revoking() {
#ifndef NO_GATE
  before = wire[v].started;
#endif
  take_back(v)
}

/* Charge the event that ran, send the others elsewhere. */
inline blame(v) {
  d_step {
    look(v);
    if
    :: e > 0 ->
      assert(running[v] == e); /* started, and its result unpublished */
#ifdef TIMEOUT_FOR_ANY
      assert(condemned[v] == 0 || condemned[v] == e); /* a timeout only for the one that was late */
#endif
      settle(e);
      sent[v]--;
    :: else
    fi;
    e = 1;
    do
    :: e <= EVENTS ->
      if
      :: place[e] == SENT && at[e] == v -> requeue(e); sent[v]--;
      :: else
      fi;
      e++
    :: else -> break
    od;
    e = 0;
  }
}

inline bury(v) {
#ifndef NO_FINAL_DRAIN
  d_step { drain_results(v) };
#endif
  blame(v);
  d_step {
    assert(wire[v].answered == 0); /* no published result goes down with its ring */
    assert(sent[v] == 0);
    wire[v].request[0] = 0; wire[v].request[REQUESTS - 1] = 0;
    wire[v].result[0] = 0; wire[v].result[RESULTS - 1] = 0;
    wire[v].asked = 0; wire[v].answered = 0;
    wire[v].started = 0; wire[v].finished = 0; wire[v].revoked = 0; wire[v].gate = 0;
    wire[v].request_room = 0; wire[v].result_room = 0;
    dispatched[v] = 0; read_at[v] = 0; stuck[v] = 0; condemned[v] = 0; due[v] = 0;
    running[v] = 0;
    life[v] = GONE;
  }
}

/* New rings and a new page: an incarnation never sees its predecessor's. */
inline spawn(v) {
  d_step {
    wire[v].request_room = REQUESTS;
    wire[v].result_room = RESULTS;
    wire[v].gate = 1;
    life[v] = UP;
  }
}

/* It runs something over its deadline: first it is asked for its stack. */
inline condemn(v) {
  d_step {
    look(v);
    faults = (stalled[v] -> faults : faults + 1);
    condemned[v] = e;
    due[v] = e > 0;
    stuck[v] = 1;
    e = 0;
  }
}

/* A moment later, with the gate, so that it starts nothing else; the gate is kept. */
inline execute(v) {
  if
  :: d_step { wire[v].gate == 1 -> wire[v].gate = 0; };
    d_step { look(v); before = (e == condemned[v]); e = 0; };
    if
    :: before == 1 ->
#ifdef FATE_BEFORE_DEATH
      blame(v);
#endif
      d_step { before = 0; fatal[v] = (life[v] == UP); }
    :: before == 0 -> d_step { wire[v].gate = 1; condemned[v] = 0; }
    fi
  :: wire[v].gate == 0 ->
    d_step {
#ifdef STALL_ANYWHERE
      fatal[v] = fatal[v] || (SILENCE_WATCHED && stalled[v] && life[v] == UP);
#endif
      condemned[v] = 0;
    }
  fi
}

#define either(cond) if :: cond(0) -> v = 0 :: cond(1) -> v = 1 fi
#define has_answered(x) (wire[x].answered > 0)
#define is_dead(x) (life[x] == DEAD)
#define is_gone(x) (life[x] == GONE && x < WORKERS)
#define is_credited(x) (backlog > 0 && has_room(x) && wire[x].request_room > 0)
#define is_slow(x) (runs(x) && !stuck[x])
#define is_late(x) (runs(x) && condemned[x] == 0 && (stalled[x] || faults < FAULTS))
#define is_due(x) (due[x] && life[x] != GONE)
#define is_silent(x) (sent[x] > 0 && stalled[x] && !runs(x) && !fatal[x] && life[x] == UP)

active proctype Supervisor() {
  byte e, before, left, share, u, v;
  spawn(0);
  run Worker(0);
  if
  :: WORKERS > 1 -> spawn(1); run Worker(1)
  :: else
  fi;
  do
  :: STEP {
      if
      :: claimed < EVENTS -> claim()
      :: either(has_answered); d_step { drain_results(v) }
      :: either(is_dead); bury(v)
      :: either(is_gone); spawn(v)
#ifndef NO_WAKE_ON_CREDIT
      :: is_credited(0) || is_credited(1)
#endif
      fi;
      v = 0;
      dispatch()
    }
  :: if
    :: begin_revoking(0)
    :: begin_revoking(1)
    fi;
    STEP { end_revoking(); v = 0; dispatch() }
  :: atomic { either(is_slow); stuck[v] = 1; v = 0 }
  :: atomic { either(is_late); condemn(v); v = 0 }
  :: atomic { either(is_due); due[v] = 0 }; execute(v); v = 0
#if defined(STALL_ANYWHERE) && SILENCE_WATCHED
  :: atomic { either(is_silent); fatal[v] = 1; v = 0 }
#endif
  :: settled == EVENTS -> break
  od
}
